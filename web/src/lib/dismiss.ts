// What opens over the page closes by a press elsewhere, and by Esc.
export function dismissed(node: HTMLElement, close: () => void): { destroy: () => void } {
  const pressed = (event: PointerEvent) => {
    if (!(event.target instanceof Node && node.contains(event.target))) close();
  };
  const typed = (event: KeyboardEvent) => {
    if (event.key === "Escape") close();
  };
  addEventListener("pointerdown", pressed);
  addEventListener("keydown", typed);
  return {
    destroy: () => {
      removeEventListener("pointerdown", pressed);
      removeEventListener("keydown", typed);
    },
  };
}
