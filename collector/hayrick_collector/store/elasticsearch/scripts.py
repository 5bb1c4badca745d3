"""What the server does to one document at a time, so that nothing is lost between reading and writing it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

_KEEP = """
void put(Map source, Set tags) {
  if (tags.isEmpty()) { source.remove('tags'); source.remove('tagsCnt'); }
  else { source.tags = new ArrayList(tags); source.tagsCnt = tags.size(); }
}
Set listed(def values) {
  Set found = new TreeSet();
  if (values instanceof List) { found.addAll(values); } else if (values != null) { found.add(values); }
  return found;
}
"""

_TAG = (
    _KEEP
    + """
def source = ctx._source;
if (source.hayrick == null) source.hayrick = [:];
Set tags = listed(source.tags), added = listed(source.hayrick.added), removed = listed(source.hayrick.removed);
def before = [new ArrayList(tags), new ArrayList(added), new ArrayList(removed)];
tags.removeAll(params.remove); added.removeAll(params.remove); removed.addAll(params.remove);
tags.addAll(params.add); added.addAll(params.add); removed.removeAll(params.add);
def after = [new ArrayList(tags), new ArrayList(added), new ArrayList(removed)];
if (before.equals(after)) { ctx.op = 'noop'; }
else {
  put(source, tags);
  source.hayrick.added = new ArrayList(added); source.hayrick.removed = new ArrayList(removed);
}
"""
)

_REPLACE = (
    _KEEP
    + """
def before = ctx._source.hayrick;
ctx._source.clear();
ctx._source.putAll(params.document);
if (before != null && (before.added != null || before.removed != null)) {
  Set tags = listed(ctx._source.tags), added = listed(before.added), removed = listed(before.removed);
  tags.removeAll(removed); tags.addAll(added);
  put(ctx._source, tags);
  ctx._source.hayrick.added = new ArrayList(added); ctx._source.hayrick.removed = new ArrayList(removed);
}
"""
)

_HIDE = """
if (ctx._source.chunks == null) { ctx._source.chunks = []; ctx._source.since = [:]; }
if (!ctx._source.chunks.contains(params.chunk)) ctx._source.chunks.add(params.chunk);
ctx._source.since[params.chunk] = params.at;
"""
_SHOW = """
if (ctx._source.chunks == null || !ctx._source.chunks.contains(params.chunk)) { ctx.op = 'noop'; }
else {
  ctx._source.chunks.removeIf(each -> each == params.chunk);
  ctx._source.since.remove(params.chunk);
}
"""


def tag(add: Sequence[str], remove: Iterable[str]) -> dict[str, Any]:
    """Changes the tags, and remembers that a person did: indexing the chunk again keeps it. A tag in both is added."""
    return {"source": _TAG, "params": {"add": list(add), "remove": [name for name in remove if name not in add]}}


def replace(document: Mapping[str, Any]) -> dict[str, Any]:
    """The new document in the old one's place, with what people changed of its tags."""
    return {"source": _REPLACE, "params": {"document": document}}


def hide(chunk: str, at_ms: int) -> dict[str, Any]:
    """On the list of chunks that are not to be seen."""
    return {"script": {"source": _HIDE, "params": {"chunk": chunk, "at": at_ms}}, "scripted_upsert": True, "upsert": {}}


def show(chunk: str) -> dict[str, Any]:
    """Off that list: all sessions of the chunk are seen from now on."""
    return {"script": {"source": _SHOW, "params": {"chunk": chunk}}}
