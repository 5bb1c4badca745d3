// The API's routes as a page, from its OpenAPI document: no third party's script is needed to read it.
"use strict";

function add(parent, kind, text) {
  const made = document.createElement(kind);
  made.textContent = text;
  parent.append(made);
  return made;
}

async function start() {
  const answer = await fetch("/api/openapi.json");
  if (!answer.ok) throw new Error("the collector answered " + answer.status);
  const openapi = await answer.json();
  const main = document.getElementById("routes");
  for (const [path, methods] of Object.entries(openapi.paths)) {
    for (const [method, route] of Object.entries(methods)) {
      add(main, "h3", method.toUpperCase() + " " + path);
      add(main, "p", route.description ?? route.summary ?? "");
      const list = add(main, "dl", "");
      for (const parameter of route.parameters ?? []) {
        add(list, "dt", parameter.name + (parameter.required ? " (needed)" : ""));
        add(list, "dd", parameter.description ?? parameter.schema?.description ?? parameter.schema?.type ?? "");
      }
      if (!list.childElementCount) list.remove();
    }
  }
}

start().catch((error) => {
  const box = document.getElementById("error");
  box.textContent = error.message;
  box.hidden = false;
});
