"""What is typed and what is read are told apart in flattened texts."""

from __future__ import annotations

import textwrap

from tests.support.tutorials.cells import (
    Cell,
    fenced_blocks,
    loose_blocks,
    notebook_cells,
    page_cells,
    statements,
)


def codes(text: str) -> list[str]:
    return [cell.code for cell in notebook_cells(textwrap.dedent(text))]


class TestNotebook:
    def test_code_goes_up_to_prose(self) -> None:
        assert codes("""\
            # Title

            Some words.

            In [None]:
            x = 1
            y = 2

            More words, and a heading.

            ## Heading

            In [None]:
            x + y
            """) == ["x = 1\ny = 2", "x + y"]

    def test_a_heading_right_after_code_is_no_comment_of_it(self) -> None:
        assert codes("""\
            In [None]:
            x = 1

            ### Heading

            Words follow.
            """) == ["x = 1"]

    def test_a_comment_between_paragraphs_of_code_is_kept(self) -> None:
        assert codes("""\
            In [None]:
            x = 1

            # twice that

            y = 2 * x
            """) == ["x = 1\n\n# twice that\n\ny = 2 * x"]

    def test_a_function_with_an_empty_line_is_whole(self) -> None:
        code = "def f(x):\n    y = x\n\n    return y\n\nf(1)"
        assert codes(f"In [1]:\n{code}\n\n1\n") == [code]

    def test_the_value_is_not_code_though_it_could_be(self) -> None:
        assert codes("""\
            In [1]:
            f(2)

            array([1.5, 2.5])

            In [2]:
            {'a': 1}

            {'a': 1}
            """) == ["f(2)", "{'a': 1}"]

    def test_an_expression_after_a_definition_is_code(self) -> None:
        assert codes("""\
            In [1]:
            def f():
                return 1

            f()

            1
            """) == ["def f():\n    return 1\n\nf()"]

    def test_a_cell_that_was_not_executed_has_no_value(self) -> None:
        assert codes("""\
            In [None]:
            f(1)

            f(2)

            In [ ]:
            f(3)

            f(4)
            """) == ["f(1)\n\nf(2)", "f(3)\n\nf(4)"]

    def test_printed_lines_are_not_code(self) -> None:
        assert codes("""\
            In [3]:
            show()

               20
             +  5
             = 25
            """) == ["show()"]

    def test_what_a_magic_prints_is_not_code(self) -> None:
        assert codes("""\
            In [4]:
            %pycat script.py

            import math

            x = 5
            """) == ["%pycat script.py"]

    def test_magics_may_stand_within_code(self) -> None:
        assert codes("""\
            In [None]:
            x = 1
            %px y = 2
            print(x)

            Words.
            """) == ["x = 1\n%px y = 2\nprint(x)"]

    def test_a_cell_magic_takes_its_paragraph(self) -> None:
        assert codes("""\
            In [None]:
            %%px --local
            %matplotlib inline
            x = 1

            Words.
            """) == ["%%px --local\n%matplotlib inline\nx = 1"]

    def test_fenced_blocks(self) -> None:
        text = "Words:\n\n```python\nx = 1\n```\n\n```\nno\n```\n```python\ny = 2\n\nz = 3\n```\n"
        assert fenced_blocks(text, "python") == ["x = 1\n", "y = 2\n\nz = 3\n"]


class TestPage:
    def test_prompts_begin_cells(self) -> None:
        assert page_cells("""\
Words.
In [2]: x = 1
In [3]: x; x + 1 # both
Out[3]: 2
More words.
""") == [Cell("x = 1"), Cell("x; x + 1 # both")]

    def test_indentation_is_put_back(self) -> None:
        assert page_cells("""\
In [6]: @decorate(block=True)
....: def f(t):
....: import time
....: # sleep
....: return t
....:
f
""") == [Cell("@decorate(block=True)\ndef f(t):\n    import time\n    # sleep\n    return t")]

    def test_indentation_that_is_there_is_kept(self) -> None:
        assert page_cells("""\
In [6]: for i in x:
   ....:   if i:
   ....:     print(i)
   ....:   print()
""") == [Cell("for i in x:\n  if i:\n    print(i)\n  print()")]

    def test_except_is_at_the_level_of_try(self) -> None:
        assert page_cells("""\
In [80]: try:
....: f()
....: except ValueError as e:
....: g(e)
....:
....:
Traceback
""") == [Cell("try:\n    f()\nexcept ValueError as e:\n    g(e)")]

    def test_recorded_lines_that_look_like_continuations_are_none(self) -> None:
        assert page_cells("In [1]: f()\nOut[1]: 3\n....: no\n") == [Cell("f()")]

    def test_python_2_stays_as_it_is(self) -> None:
        assert page_cells("In [1]: print x\n1\n") == [Cell("print x")]

    def test_the_tabulator(self) -> None:
        assert page_cells("In [5]: view.apply<tab>\n") == [Cell("view.apply", completes=True)]

    def test_answers_to_the_debugger(self) -> None:
        assert page_cells("""\
In [82]: %debug
> file.py(1)f()
ipdb> e = x
ipdb> e.<TAB>
e.args
ipdb> e
""") == [Cell("%debug", answers=("e = x", "e"))]

    def test_code_without_prompts(self) -> None:
        assert loose_blocks("""\
First,
import one
x = one.f()
and words.
import taxes are words.
import two
Words.
""") == ["import one\nx = one.f()", "import two"]


class TestStatements:
    def test_each_is_apart(self) -> None:
        assert statements("x = 1\n@d\ndef f():\n    return 1\n\n\nf()  # call") == [
            "x = 1",
            "@d\ndef f():\n    return 1",
            "f()  # call",
        ]

    def test_those_of_a_line_stay_together(self) -> None:
        assert statements("x = 1; y = (2 +\n 3)\nz = 1") == ["x = 1; y = (2 +\n 3)", "z = 1"]

    def test_magics(self) -> None:
        assert statements("x = 1\n%px y = 2\nx") == ["x = 1", "%px y = 2", "x"]
        assert statements("%%px\nx = 1\ny = 2") == ["%%px\nx = 1\ny = 2"]

    def test_what_is_not_python_is_one(self) -> None:
        assert statements("print x\nprint y") == ["print x\nprint y"]
