"""The console's pages of models and indexes: forms that ask for work and never wait for it."""

from tests.api.conftest import Product
from tests.api.test_console import HTML


def test_an_exam_is_asked_for_and_stopped_on_the_page_which_waits_for_neither(
    product: Product,
) -> None:
    tasks = product.application.catalog.maintenance
    for left in tasks.recent():  # by other tests of this service, on which nobody works
        if not left.is_over:
            tasks.stop(left.id)
    with product.client("admin") as admin, product.client("stranger") as stranger:
        refused = stranger.post("/admin/models/exam", data={"model": ""}, headers=HTML)
        asked = admin.post("/admin/models/exam", data={"model": ""}, headers=HTML)
        (task,) = [one for one in tasks.recent() if not one.is_over]
        waits = admin.get("/admin/models", headers=HTML).text
        stopped = admin.post("/admin/models/stop", data={"task": task.id}, headers=HTML)
        over = admin.get("/admin/models", headers=HTML).text

    assert refused.status_code == 403
    assert asked.headers["location"] == "/admin/models?done=work_asked"
    assert (task.kind, task.asked_by) == ("exam", "user:adam")
    assert stopped.headers["location"] == "/admin/models?done=work_stopped"
    assert ("data-busy" in waits, "data-busy" in over) == (True, False)
    assert "Known limits" in over
    assert "reads 512 tokens of a text at most" in over


def test_what_there_is_no_index_for_is_refused_on_the_page(product: Product) -> None:
    with product.client("admin") as admin:
        page = admin.get("/admin/index", headers=HTML)
        switched = admin.post("/admin/index/switch", headers=HTML)

    assert 'action="/admin/index/build"' in page.text
    assert 'action="/admin/index/switch"' not in page.text
    assert switched.status_code == 400
