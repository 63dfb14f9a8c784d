"""`make clients`: clients in Go and Java, made of the OpenAPI document by openapi-generator, at work on a running service.

Each posts deliveries, reads a card, pages through entries and files an appeal (`walks/`). What a machine lacks is said:
Go needs `go`; Java needs `javac`, and Maven with a repository that it can reach, or jars in RIDERSCORE_JARS.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from docs.contract import FILES
from tests.api.clients.city import City, late_deliveries, served

WALKS: Final = Path(__file__).parent / "walks"
GENERATOR: Final = Path(sys.executable).with_name("openapi-generator-cli")
# The generated Go asks a module to look at struct tags; a server that answers by its document needs no second look.
_VALIDATOR: Final = "package validator\n\n// Validate finds nothing.\nfunc Validate(interface{}) error { return nil }\n"


class LackingError(Exception):
    """What this machine lacks for a language."""


def main() -> int:
    """Try each language; 1 if one that could be tried fails."""
    num_failed = 0
    for name, walk in (("go", go), ("java", java)):
        with tempfile.TemporaryDirectory(prefix="riderscore-clients-") as made:
            folder = Path(made)
            (folder / "openapi.json").write_text(FILES["openapi.json"](), encoding="utf-8")
            with served(folder) as city:
                num_failed += tried(name, walk, folder, city)
    return min(num_failed, 1)


def tried(name: str, walk: Callable[[Path, City], str], folder: Path, city: City) -> bool:
    """Let a client walk, and say what came of it; whether it failed."""
    try:
        said = json.loads(walk(folder, city))
    except LackingError as lacking:
        print(f"{name}: not tried: {lacking}")
        return False
    except subprocess.CalledProcessError as error:
        print(f"{name}: failed\n{error.stdout}\n{error.stderr}")
        return True
    wanted = {"num_scored": 3, "score_mp": said["last_score_mp"], "seqs": [3, 2, 1], "appealed": True, "state": "open"}
    is_right = {key: said[key] for key in wanted} == wanted
    print(f"{name}: {'as it should be' if is_right else 'WRONG'}: {said}")
    return not is_right


def go(folder: Path, city: City) -> str:
    """Generate, build and run the Go client; what it says."""
    need("go", "the Go compiler")
    generate(folder, "go", "packageName=rs,disallowAdditionalPropertiesIfNotPresent=false")
    module, program = folder / "client", folder / "program"
    (module / "go.mod").unlink()
    validator = folder / "validator"
    validator.mkdir()
    (validator / "validator.go").write_text(_VALIDATOR, encoding="utf-8")
    shutil.copytree(WALKS / "go", program)
    for place, name in ((module, "riderscore.invalid/client"), (validator, "gopkg.in/validator.v2"), (program, "walk")):
        run("go", "mod", "init", name, cwd=place)
    for place in (module, program):
        run("go", "mod", "edit", "-require=gopkg.in/validator.v2@v2.0.1", f"-replace=gopkg.in/validator.v2={validator}", cwd=place)  # fmt: skip
    run("go", "mod", "edit", "-require=riderscore.invalid/client@v0.0.0", f"-replace=riderscore.invalid/client={module}", cwd=program)  # fmt: skip
    run("go", "build", "-o", "walk", ".", cwd=program)
    return run(str(program / "walk"), *asked(city), cwd=program)


def java(folder: Path, city: City) -> str:
    """Generate, compile and run the Java client; what it says."""
    need("javac", "a Java compiler")
    options = "openApiNullable=false,invokerPackage=rs,apiPackage=rs.api,modelPackage=rs.model,useJakartaEe=true"
    generate(folder, "java", options, "--library", "native")
    client = folder / "client"
    jars = os.environ.get("RIDERSCORE_JARS") or jars_of_maven(client)
    sources = [str(path) for path in (client / "src/main/java").rglob("*.java")]
    run("javac", "-nowarn", "-d", "classes", "-cp", jars, str(WALKS / "java" / "Walk.java"), *sources, cwd=folder)
    return run("java", "-cp", f"classes{os.pathsep}{jars}", "Walk", *asked(city), cwd=folder)


def jars_of_maven(client: Path) -> str:
    """The class path of a generated client."""
    need("mvn", "Maven")
    try:
        run("mvn", "-q", "dependency:build-classpath", "-Dmdep.outputFile=jars.txt", cwd=client)
    except subprocess.CalledProcessError as error:
        raise LackingError("Maven reaches no repository") from error
    return (client / "jars.txt").read_text(encoding="utf-8").strip()


def asked(city: City) -> tuple[str, ...]:
    """What a walk is told."""
    return city.address, city.platform_key, city.rider_key, json.dumps(late_deliveries())


def generate(folder: Path, language: str, options: str, *more: str) -> None:
    """Make a client in `folder/client`."""
    need("java", "Java, in which the generator is written")
    if not GENERATOR.exists():
        raise LackingError("openapi-generator-cli is not installed (`make clients` installs it)")
    quiet = "apiTests=false,modelTests=false,apiDocs=false,modelDocs=false"
    properties = ("--additional-properties", options, "--global-property", quiet)
    run(
        str(GENERATOR), "generate", "-i", "openapi.json", "-g", language, "-o", "client", *properties, *more, cwd=folder
    )


def need(program: str, words: str) -> None:
    """Refuse a language whose program is not there."""
    if shutil.which(program) is None:
        raise LackingError(f"{words} (`{program}`) is not installed")


def run(*command: str, cwd: Path) -> str:
    """Run a program to its good end; what it says."""
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, encoding="utf-8", check=True).stdout


if __name__ == "__main__":
    sys.exit(main())
