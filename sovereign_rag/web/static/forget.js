// Whoever signs in here may be somebody else: what a window remembers of a conversation goes. A
// question that was never sent stays; its owner's page alone takes it up again.

const draft = sessionStorage.getItem("draft");
sessionStorage.clear();
if (draft) sessionStorage.setItem("draft", draft);
