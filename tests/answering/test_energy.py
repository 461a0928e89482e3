"""An answer says what it cost in energy, and whether that was measured."""

from pathlib import Path

from sovereign_rag.answering.energy import EnergyMeter


def package(folder: Path, microjoules: int, *, name: str = "intel-rapl:0") -> Path:
    counter = folder / name
    counter.mkdir(exist_ok=True)
    (counter / "max_energy_range_uj").write_text("262143328850\n")
    (counter / "energy_uj").write_text(f"{microjoules}\n")
    return counter


def test_where_the_processor_tells_energy_is_measured_over_all_packages(tmp_path: Path) -> None:
    package(tmp_path, 1_000_000)
    package(tmp_path, 5_000_000, name="intel-rapl:1")
    meter = EnergyMeter(watts_per_core=10, powercap=tmp_path)

    before = meter.now()
    package(tmp_path, 3_500_000)
    package(tmp_path, 6_000_000, name="intel-rapl:1")
    used = meter.since(before)

    assert (used.joules, used.measured) == (3.5, True)


def test_a_counter_that_starts_again_at_nought_costs_nothing_more(tmp_path: Path) -> None:
    package(tmp_path, 262_142_328_850)
    meter = EnergyMeter(watts_per_core=10, powercap=tmp_path)

    before = meter.now()
    package(tmp_path, 1_000_000)

    assert meter.since(before).joules == 2.0


def test_where_it_does_not_tell_energy_is_estimated_from_cpu_time(tmp_path: Path) -> None:
    meter = EnergyMeter(watts_per_core=10, powercap=tmp_path)

    before = meter.now()
    sum(number * number for number in range(2_000_000))
    used = meter.since(before)

    assert used.joules > 0
    assert not used.measured
