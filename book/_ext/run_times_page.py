"""``{run-times}``: what the execution of each chapter took in the last build, and with what."""

from claims_page import chapter_name, load
from elements import link, table
from sphinx.util.docutils import SphinxDirective

COLUMNS = ("Chapter", "Seconds", "CPU seconds", "Peak memory (MB)", "Chapters at a time", "Checks", "Controls")


class RunTimes(SphinxDirective):
    def run(self):
        run_times, records = load(self.env.app, "run_times.json"), load(self.env.app, "claims.json")
        return [table("Execution of each chapter", COLUMNS, _rows(run_times, records["chapters"])),
                table("What the chapters were executed with", (), _environment(records["about"]["environment"]))]


def _rows(run_times, chapters):
    rows = []
    for chapter in chapters:
        took = run_times[chapter["chapter"]]
        rows.append((link(f"../chapters/{chapter['chapter']}.html", chapter_name(chapter)),
                     f"{took['seconds']:.1f}", f"{took['cpu_seconds']:.1f}", took["peak_mb"], took["jobs"],
                     chapter["checks"], chapter["controls"]))
    seconds, cpu_seconds = (sum(took[name] for took in run_times.values()) for name in ("seconds", "cpu_seconds"))
    largest = max((took["peak_mb"] for took in run_times.values()), default=0)
    return [*rows, ("All chapters", f"{seconds:.1f}", f"{cpu_seconds:.1f}", f"at most {largest}", "",
                    sum(chapter["checks"] for chapter in chapters), sum(chapter["controls"] for chapter in chapters))]


def _environment(found):
    return [("Python", found["python"]), ("numpy", found["numpy"]),
            ("BLAS", f"{found['blas']}, threads: {found['blas_threads']}"), ("deepdyn_np", found["package"]),
            ("System", found["system"]), ("Processor", f"{found['processor']}, cores: {found['cores']}")]


def setup(app):
    app.setup_extension("claims_page")
    app.add_directive("run-times", RunTimes)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
