"""The command line: release, grade, feedback.

    deepdyn-classroom release book/assignments/hw01_gradients/hw01_gradients.ipynb -o chapters/assignments
    deepdyn-classroom grade submissions --assignment hw01_gradients -o scores.csv
    deepdyn-classroom feedback scores.csv -o feedback

``python -m deepdyn_np.classroom`` is the same.
"""

import argparse
import csv
import dataclasses
import sys
from pathlib import Path

from deepdyn_np.classroom.assignments import find_assignment, master_of
from deepdyn_np.classroom.feedback import write_feedback
from deepdyn_np.classroom.grade import GRADER_ERROR, grade
from deepdyn_np.classroom.release import release
from deepdyn_np.classroom.sandbox import Limits, best_isolation
from deepdyn_np.classroom.scores import write_gradescope, write_scores
from deepdyn_np.errors import expect

SANDBOXES = {
    "full": "students' code sees no network, no other process and no file but Python's",
    "limits": "students' code has limits of time, memory and files, but can read files and use the network",
}


def main(arguments=None):
    """Run one command; the exit code is 0 only if all was done."""
    options = _parser().parse_args(arguments)
    try:
        return options.command(options)
    except (ValueError, OSError) as error:
        print(f"deepdyn-classroom {options.name}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nStopped. What was graded is kept: the same command goes on from here.", file=sys.stderr)
        return 130


def _parser():
    parser = argparse.ArgumentParser(
        prog="deepdyn-classroom", description="Release, grade and return the assignments of the book."
    )
    commands = parser.add_subparsers(dest="name", required=True, metavar="COMMAND")

    command = commands.add_parser(
        "release",
        help="make the students' notebook from a solved master",
        description="Remove solutions, hidden tests and outputs from a solved master.",
    )
    command.add_argument("master", help="a master, or the name of an assignment in book/assignments")
    command.add_argument(
        "-o", "--output", type=Path, required=True, metavar="PLACE", help="a folder, or a file *.ipynb"
    )
    command.set_defaults(command=_release)

    command = commands.add_parser(
        "grade",
        help="grade all submissions into a table",
        description="Grade all submissions. Results are kept as they come: after a crash or "
        "Ctrl-C the same command goes on where it stopped.",
    )
    command.add_argument(
        "submissions",
        type=Path,
        help="a folder of STUDENT.ipynb, or of STUDENT/ASSIGNMENT/ASSIGNMENT.ipynb; or one notebook",
    )
    command.add_argument("--assignment", required=True, help="its name in book/assignments, or its folder")
    command.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="SCORES.CSV",
        help="the table; the journal is kept beside it, as SCORES.jsonl",
    )
    command.add_argument(
        "--roster",
        type=Path,
        metavar="FILE",
        help="a CSV file with the students' ids in its first column: who handed in nothing gets a row",
    )
    command.add_argument(
        "--gradescope", type=Path, metavar="FOLDER", help="also write FOLDER/STUDENT/results.json"
    )
    command.add_argument(
        "--jobs", type=int, metavar="N", help="submissions graded at a time (default: one for each core)"
    )
    command.add_argument(
        "--isolation", choices=SANDBOXES, help="refuse to grade with another (default: the best there is)"
    )
    for field in dataclasses.fields(Limits):
        command.add_argument(
            f"--{field.name}",
            type=int,
            default=field.default,
            metavar="N",
            help=f"{LIMITS[field.name]} (default: {field.default})",
        )
    command.set_defaults(command=_grade)

    command = commands.add_parser(
        "feedback",
        help="write a page for each student",
        description="Write a page for each student, with the points given by hand in the table.",
    )
    command.add_argument("scores", type=Path, help="the table that `grade` wrote, its journal beside it")
    command.add_argument("-o", "--output", type=Path, required=True, metavar="FOLDER")
    command.set_defaults(command=_feedback)
    return parser


LIMITS = {
    "wall": "seconds for one notebook",
    "cpu": "seconds of processor time for one notebook",
    "cell": "seconds for one cell, or one call of a function",
    "memory": "bytes of memory for one process",
    "disk": "bytes of files",
    "processes": "processes and threads at a time",
}


def _release(options):
    master = (
        Path(options.master)
        if options.master.endswith(".ipynb")
        else master_of(find_assignment(options.master))
    )
    text, place = release(master), options.output
    if place.suffix != ".ipynb":
        place = place / master.name
    expect(place.resolve() != master.resolve(), "output", "another file than the master", f"{place}")
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text, encoding="utf-8", newline="\n")
    print(f"Released {place}")
    return 0


def _grade(options):
    journal = options.output.with_suffix(".jsonl")
    expect(options.output.suffix == ".csv", "output", "a file *.csv", f"{options.output}")
    isolation, why = (options.isolation, "") if options.isolation else best_isolation()
    print(f"Isolation {isolation}: {SANDBOXES[isolation]}{f' ({why})' if why else ''}.", file=sys.stderr)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    limits = Limits(**{field.name: getattr(options, field.name) for field in dataclasses.fields(Limits)})
    results = grade(
        options.submissions,
        options.assignment,
        journal,
        jobs=options.jobs,
        limits=limits,
        isolation=isolation,
        students=_roster(options.roster),
        progress=True,
    )
    write_scores(options.output, results)
    if options.gradescope:
        write_gradescope(options.gradescope, results)
    failed = [result for result in results if result["status"].startswith(GRADER_ERROR)]
    by_hand = sum(part["kind"] == "by hand" for result in results for part in result["questions"].values())
    print(f"Wrote {options.output}: {len(results)} students, {by_hand} written answers to grade by hand.")
    for result in failed:
        print(f"{result['student']}: {result['status']}", file=sys.stderr)
    return 1 if failed else 0


def _roster(path):
    if path is None:
        return []
    with open(path, newline="", encoding="utf-8-sig") as file:
        ids = [row[0].strip() for row in csv.reader(file) if row and row[0].strip()]
    return ids[1:] if ids and ids[0].lower() in ("student", "id", "student id", "student_id") else ids


def _feedback(options):
    pages = write_feedback(options.scores, options.scores.with_suffix(".jsonl"), options.output)
    print(f"Wrote {len(pages)} pages into {options.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
