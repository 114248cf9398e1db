"""Validates the OpenAPI document in a file, with the published validator."""

import json
import sys

from openapi_spec_validator import OpenAPIV31SpecValidator

with open(sys.argv[1], encoding="utf-8") as file:
    document = json.load(file)
problems = [error.message for error in OpenAPIV31SpecValidator(document).iter_errors()]
assert not problems, "\n".join(problems)

# The validator is awake.
broken = dict(document, paths={"no-slash": {"get": {"responses": {"200": {}}}}})
assert list(OpenAPIV31SpecValidator(broken).iter_errors())
