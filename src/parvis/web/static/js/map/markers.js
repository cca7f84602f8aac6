// The markers of the page's sprite as images of the map: one drawing for list, legend and map.

const SCALE = 2;
const SIZE = 32;
const STYLED = ["fill", "stroke", "stroke-width", "stroke-dasharray", "stroke-linecap", "stroke-linejoin", "text-anchor"];
const LETTERED = ["font-family", "font-size", "font-weight"];

export async function addMarkers(map) {
  const symbols = [...document.querySelectorAll("symbol[id^='marker-'], symbol[id^='cluster-']")];
  await Promise.all(
    symbols.map(async (symbol) => {
      const image = await rasterise(symbol);
      if (!map.hasImage(symbol.id)) map.addImage(symbol.id, image, { pixelRatio: SCALE });
    }),
  );
}

async function rasterise(symbol) {
  const drawing = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  drawing.setAttribute("class", "sprite");
  drawing.setAttribute("viewBox", symbol.getAttribute("viewBox"));
  drawing.append(...[...symbol.children].map((child) => child.cloneNode(true)));
  document.body.append(drawing);
  for (const element of drawing.querySelectorAll("*")) settle(element);
  drawing.remove();
  drawing.removeAttribute("class");
  drawing.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  drawing.setAttribute("width", SIZE * SCALE);
  drawing.setAttribute("height", SIZE * SCALE);
  const image = new Image(SIZE * SCALE, SIZE * SCALE);
  image.src = `data:image/svg+xml,${encodeURIComponent(new XMLSerializer().serializeToString(drawing))}`;
  await image.decode();
  return image;
}

// An image knows no style sheet: what the sheet says is written into the drawing.
function settle(element) {
  const style = getComputedStyle(element);
  for (const name of element.tagName === "text" ? [...STYLED, ...LETTERED] : STYLED) {
    element.setAttribute(name, style.getPropertyValue(name));
  }
}
