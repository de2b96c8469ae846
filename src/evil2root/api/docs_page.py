"""The API's documentation as one plain page: no script, nothing from another origin."""

import json
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

Schema = Mapping[str, Any]

CSS = """
:root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 18%, transparent); }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
code, pre { font: 13px/1.5 ui-monospace, monospace; }
pre { overflow-x: auto; padding: .75rem; border: 1px solid var(--line); border-radius: 6px; }
details { border: 1px solid var(--line); border-radius: 6px; margin: .5rem 0; padding: .5rem .75rem; }
summary { cursor: pointer; } summary b { display: inline-block; min-width: 4.5rem; }
table { border-collapse: collapse; width: 100%; } td, th { text-align: left; padding: .25rem .5rem .25rem 0;
  border-bottom: 1px solid var(--line); vertical-align: top; } nav a { margin-right: 1rem; }
"""

_INTRO = """<h1>{title} <small>{version}</small></h1>
<p>Send a key made by <code>evil2root apikey create</code> as <code>Authorization: Bearer e2r_...</code>.
Money and quantities are decimals as text; prices of market data are numbers; times are RFC 3339 in UTC.
Errors are problem details (RFC 9457). Lists go on with <code>?cursor=</code> and the <code>next</code> of the page
before. The machine-readable form is <a href="/api/openapi.json">openapi.json</a>.</p>"""


def docs_page(openapi: Schema, *, base_url: str) -> str:
    """Write the page from the OpenAPI document."""
    info = openapi["info"]
    by_tag: dict[str, list[str]] = {}
    for path, operations in openapi["paths"].items():
        for method, operation in operations.items():
            tag = (operation.get("tags") or ["other"])[0]
            by_tag.setdefault(tag, []).append(_operation(openapi, path, method, operation, base_url))
    links = "".join(f'<a href="#{escape(tag)}">{escape(tag)}</a>' for tag in [*by_tag, "schemas"])
    sections = "".join(f'<h2 id="{escape(tag)}">{escape(tag)}</h2>{"".join(found)}' for tag, found in by_tag.items())
    schemas = "".join(
        f'<details id="{escape(name)}"><summary><code>{escape(name)}</code></summary>'
        f"<p>{escape(schema.get('description', ''))}</p>{_fields(schema)}</details>"
        for name, schema in openapi.get("components", {}).get("schemas", {}).items()
    )
    intro = _INTRO.format(title=escape(info["title"]), version=escape(info["version"]))
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(info["title"])} API</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<link rel="stylesheet" href="/api/docs.css"></head><body>'
        f'{intro}<nav>{links}</nav>{sections}<h2 id="schemas">schemas</h2>{schemas}</body></html>'
    )


def _operation(openapi: Schema, path: str, method: str, operation: Schema, base_url: str) -> str:
    parameters = "".join(_parameter(p) for p in operation.get("parameters", []))
    table = f"<table><tr><th>parameter<th>in<th>type<th>meaning</tr>{parameters}</table>" if parameters else ""
    body = _content(operation.get("requestBody", {}))
    sends = f"<p>Body: {_type(body)}</p>" if body else ""
    answers = "".join(
        f"<tr><td>{escape(status)}<td>{_type(_content(answer)) or '-'}<td>{escape(answer.get('description', ''))}</tr>"
        for status, answer in operation.get("responses", {}).items()
    )
    curl = _curl(openapi, path, method, operation, base_url)
    return (
        f"<details><summary><b>{method.upper()}</b> <code>{escape(path)}</code> {escape(operation.get('summary', ''))}"
        f"</summary><p>{escape(operation.get('description', ''))}</p>{table}{sends}"
        f"<table><tr><th>answer<th>shape<th>when</tr>{answers}</table><pre>{escape(curl)}</pre></details>"
    )


def _parameter(parameter: Schema) -> str:
    schema = parameter.get("schema", {})
    needed = ", needed" if parameter.get("required") else ""
    default = f", by default {escape(json.dumps(schema['default']))}" if "default" in schema else ""
    return (
        f"<tr><td><code>{escape(parameter['name'])}</code><td>{escape(parameter['in'])}{needed}"
        f"<td>{_type(schema)}{default}<td>{escape(parameter.get('description', ''))}</tr>"
    )


def _content(part: Schema) -> Schema:
    for media in part.get("content", {}).values():
        schema: Schema = media.get("schema", {})
        return schema
    return {}


def _type(schema: Schema) -> str:
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="#{name}">{name}</a>'
    for choice in ("anyOf", "oneOf", "allOf"):
        if choice in schema:
            return " or ".join(dict.fromkeys(_type(part) for part in schema[choice]))
    if "enum" in schema:
        return " ".join(f"<code>{escape(str(value))}</code>" for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    return escape(" ".join(filter(None, [str(schema.get("type", "")), str(schema.get("format", ""))])))


def _fields(schema: Schema) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(name)}</code><td>{_type(field)}<td>{escape(field.get('description', ''))}</tr>"
        for name, field in schema.get("properties", {}).items()
    )
    return f"<table>{rows}</table>" if rows else f"<p>{_type(schema)}</p>"


def _curl(openapi: Schema, path: str, method: str, operation: Schema, base_url: str) -> str:
    lines = [f"curl -H 'Authorization: Bearer '\"$E2R_KEY\" {base_url}{path}"]
    if method != "get":
        lines.append(f"-X {method.upper()}")
    if any(p["name"] == "Idempotency-Key" for p in operation.get("parameters", [])):
        lines.append("-H 'Idempotency-Key: my-first-try'")
    body = _content(operation.get("requestBody", {}))
    if body:
        lines.append(f"-H 'Content-Type: application/json' -d '{json.dumps(dict(_sample(openapi, body)))}'")
    return " \\\n  ".join(lines)


def _sample(openapi: Schema, schema: Schema) -> Iterator[tuple[str, Any]]:
    """Give an example of each field a body needs, or of its first one."""
    for part in [schema, *schema.get("anyOf", [])]:
        if "$ref" in part:
            schema = openapi["components"]["schemas"][part["$ref"].rpartition("/")[2]]
    properties = schema.get("properties", {})
    for name in schema.get("required") or list(properties)[:1]:
        choices: list[Schema] = [properties[name], *properties[name].get("anyOf", [])]
        field: Schema = next((f for f in choices if "examples" in f), {})
        yield name, field.get("examples", ["..."])[0]
