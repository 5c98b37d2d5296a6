"""Five papers, one self-contained subpackage each.

`common` and `datasets` are other people's names, too: Hugging Face's package is called datasets. Whoever imports this
package, or reports, learns in one line that another one has come first.
"""

import sys
from importlib.util import find_spec
from pathlib import Path


def check_neighbours() -> None:
    """Exit with code 3 where `common` or `datasets` is not the package beside this one."""
    for name in ("common", "datasets"):
        ours = (Path(__file__).resolve().parents[1] / name / "__init__.py").resolve()
        spec = find_spec(name)
        places = [spec.origin] if spec and spec.origin else list(spec.submodule_search_locations) if spec else [ours]
        found = Path(places[0]).resolve()  # a file, or a folder without one, which comes first all the same
        if found != ours or b"avemotion" not in ours.read_bytes():  # pip lets one package overwrite another's files
            print(
                f"error: {found}: is no package {name} of this suite, but perhaps another one of that name; run "
                f"the suite from its own folder, or install it in an environment of its own",
                file=sys.stderr,
            )
            raise SystemExit(3)


check_neighbours()
