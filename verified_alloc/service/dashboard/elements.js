// Elements: made once, and changed only where what they show has changed.

const SVG = new Set(["svg", "line", "path", "circle", "text", "title", "polyline", "polygon", "g"]);
const GUN_COLOURS = 8;

export const by = (id) => document.getElementById(id);
export const colour = (gun) => `var(--g${((gun - 1) % GUN_COLOURS) + 1})`;

/** An element: its name, attributes (on… are listeners), children. */
export function el(name, attributes = {}, ...children) {
  const made = SVG.has(name) ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (key === "style") made.style.cssText = value ?? "";
    else if (value != null) made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child != null));
  return made;
}

/** Its text and attributes, where they are not so yet. */
export function set(element, text, attributes = {}) {
  if (text !== null && element.textContent !== text) element.textContent = text;
  for (const [key, value] of Object.entries(attributes)) {
    if (value == null) element.removeAttribute(key);
    else if (element.getAttribute(key) !== String(value)) element.setAttribute(key, value);
  }
}

/** Draw a part again only when what it shows has changed. */
export function unless_same(element, what, children) {
  const key = JSON.stringify(what);
  if (element.dataset.key === key) return;
  element.dataset.key = key;
  element.replaceChildren(...children());
}

/** An element for each of `things` in their order, made once by its id and then `changed`. */
export function keyed(parent, things, id_of, make, change) {
  const kept = new Map([...parent.children].map((child) => [child.dataset.id, child]));
  things.forEach((thing, place) => {
    const id = String(id_of(thing));
    let child = kept.get(id);
    kept.delete(id);
    if (!child) {
      child = make(thing);
      child.dataset.id = id;
    }
    if (parent.children[place] !== child) parent.insertBefore(child, parent.children[place] ?? null);
    change(child, thing);
  });
  kept.forEach((child) => child.remove());
}
