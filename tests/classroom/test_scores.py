"""The table, the results for Gradescope, the students' pages, and the command line from end to end."""

import csv
import json
import subprocess
import sys
from html.parser import HTMLParser

import pytest
from toy_assignment import work, written

from deepdyn_np.classroom.__main__ import main
from deepdyn_np.classroom.feedback import feedback
from deepdyn_np.classroom.scores import gradescope, read_marks, write_scores


def result(
    student="ann", status="graded", message="It is -1 times the right one.", text="Because.", version="v1"
):
    parts = {
        "mean": {"kind": "wrong", "points": 0, "message": message, "max": 2, "title": "The mean"},
        "scores": {"kind": "right", "points": 3, "message": "", "max": 3, "title": "The scores"},
        "why": {"kind": "by hand", "points": None, "message": text, "max": 1.5, "title": "Why?"},
    }
    return {
        "student": student,
        "assignment": "hw00_toy",
        "status": status,
        "remarks": [],
        "seconds": 0.5,
        "version": version,
        "questions": parts,
    }


def rows(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_table_tells_points_and_what_failed(tmp_path):
    write_scores(tmp_path / "s.csv", [result(), result("ben", message='a,b\n"c"')])
    ann, ben = rows(tmp_path / "s.csv")
    assert ann == {
        "student": "ann",
        "assignment": "hw00_toy",
        "status": "graded",
        "mean": "0",
        "scores": "3",
        "why": "",
        "total": "3",
        "max": "6.5",
        "seconds": "0.50",
        "what failed": "mean: It is -1 times the right one.",
        "version": "v1",
    }
    assert ben["what failed"] == 'mean: a,b "c"'


@pytest.mark.parametrize("evil", ["=cmd|'/c calc'!A1", "+1+1", "-2+3", "@SUM(A1)", "\tx"])
def test_no_cell_of_the_table_is_a_formula(tmp_path, evil):
    bad = result(student=evil)
    bad["remarks"] = [evil]
    write_scores(tmp_path / "s.csv", [bad])
    for cell in rows(tmp_path / "s.csv")[0].values():
        assert not cell.startswith(("=", "+", "-", "@", "\t"))
    assert ("hw00_toy", evil, "v1") in read_marks(tmp_path / "s.csv")


def give(path, student, points):
    table = rows(path)
    for row in table:
        if row["student"] == student:
            row["why"] = points
    with open(path, "w", newline="", encoding="utf-8-sig") as file:  # as a table program saves it
        writer = csv.DictWriter(file, table[0])
        writer.writeheader()
        writer.writerows(table)


def test_points_given_by_hand_stay_until_the_work_changes(tmp_path):
    path = tmp_path / "s.csv"
    write_scores(path, [result(), result("ben")])
    give(path, "ann", "1,5")
    write_scores(path, [result(), result("ben")])
    assert [(row["why"], row["total"]) for row in rows(path)] == [("1.5", "4.5"), ("", "3")]
    write_scores(path, [result(version="v2"), result("ben")])
    assert rows(path)[0]["why"] == ""
    give(path, "ann", "good")
    with pytest.raises(ValueError, match="numbers as points of ann"):
        read_marks(path)
    path.write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match="a table that the grader wrote"):
        read_marks(path)


def test_gradescopes_form():
    """The keys and types of Gradescope's documentation; each test has its score, so there is no total."""
    got = json.loads(json.dumps(gradescope(result())))
    assert set(got) == {"execution_time", "output", "output_format", "visibility", "tests"}
    assert [test["name"] for test in got["tests"]] == ["The mean", "The scores"]  # a person grades the third
    for test in got["tests"]:
        assert set(test) == {"name", "number", "score", "max_score", "status", "output", "output_format"}
        assert 0 <= test["score"] <= test["max_score"] and test["status"] in ("passed", "failed")
        assert all(isinstance(test[key], str) for key in ("name", "number", "output"))
    assert got["visibility"] in ("hidden", "after_due_date", "after_published", "visible")


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.text = [], ""

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)

    def handle_data(self, data):
        self.text += data


def test_what_a_student_wrote_is_shown_as_text():
    attack = "<script>alert(1)</script><img src=x onerror=alert(2)>$total"
    page = Tags()
    page.feed(feedback(result(student=attack, message=attack, text=attack, status=attack), {}))
    assert not {"script", "img"} & set(page.tags)
    assert page.text.count(attack) >= 4


def test_a_page_says_what_is_not_yet_graded_and_adds_what_is():
    assert "3 of 6.5 points" in feedback(result(), {}) and "1 answer not yet graded" in feedback(result(), {})
    assert "4.5 of 6.5 points" in feedback(result(), {"why": 1.5}) and "not yet graded" not in feedback(
        result(), {"why": 1.5}
    )


def test_the_commands_from_end_to_end(toy, tmp_path, capsys):
    assert main(["release", str(toy / "hw00_toy.ipynb"), "-o", str(tmp_path / "out")]) == 0
    handed_out = (tmp_path / "out" / "hw00_toy.ipynb").read_text()
    folder = written(tmp_path / "in", ann=work("ann"), ben=handed_out)
    (tmp_path / "roster.csv").write_text("student,name\nann,Ann\nben,Ben\nlate,Late\n")
    arguments = [
        "grade",
        str(folder),
        "--assignment",
        str(toy),
        "-o",
        str(tmp_path / "s.csv"),
        "--jobs",
        "1",
        "--roster",
        str(tmp_path / "roster.csv"),
        "--gradescope",
        str(tmp_path / "g"),
    ]
    assert main(arguments) == 0
    told = capsys.readouterr()
    assert "Isolation full" in told.err and "3 of 3" not in told.err and "2 of 2" in told.err
    assert "3 students, 1 written answers" in told.out
    assert [(row["student"], row["status"], row["total"]) for row in rows(tmp_path / "s.csv")] == [
        ("ann", "graded", "5"),
        ("ben", "graded", "0"),
        ("late", "no submission", "0"),
    ]
    assert json.loads((tmp_path / "g" / "ann" / "results.json").read_text())["tests"][0]["score"] == 2
    give(tmp_path / "s.csv", "ann", "1")
    assert main(["feedback", str(tmp_path / "s.csv"), "-o", str(tmp_path / "f")]) == 0
    assert sorted(path.name for path in (tmp_path / "f").iterdir()) == [
        "ann_hw00_toy.html",
        "ben_hw00_toy.html",
    ]
    assert "6 of 6 points" in (tmp_path / "f" / "ann_hw00_toy.html").read_text()


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["release", "hw00_none", "-o", "x"], "release: assignment: expected a folder with a questions.py"),
        (
            ["grade", "nowhere", "--assignment", "TOY", "-o", "s.csv"],
            "grade: submissions: expected a folder or a notebook",
        ),
        (["grade", "nowhere", "--assignment", "TOY", "-o", "s.txt"], "grade: output: expected a file *.csv"),
        (["feedback", "none.csv", "-o", "f"], "none.csv"),
    ],
)
def test_a_wrong_command_says_what_is_wrong(toy, tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert main([str(toy) if argument == "TOY" else argument for argument in arguments]) == 2
    assert message in capsys.readouterr().err


def test_the_master_is_not_overwritten(toy, capsys):
    before = (toy / "hw00_toy.ipynb").read_bytes()
    assert main(["release", str(toy / "hw00_toy.ipynb"), "-o", str(toy)]) == 2
    assert (toy / "hw00_toy.ipynb").read_bytes() == before


def test_the_console_script_is_the_module():
    for command in ([sys.executable, "-m", "deepdyn_np.classroom"],):
        done = subprocess.run([*command, "--help"], capture_output=True, text=True)
        assert done.returncode == 0 and "release" in done.stdout and "feedback" in done.stdout
