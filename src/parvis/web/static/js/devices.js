// Devices ticked in the list: all of the page at once, and how many they are.

const form = document.getElementById("several");

if (form) {
  const boxes = [...document.querySelectorAll("input[name=device][form=several]")];
  const all = form.querySelector("[data-tick-all]");
  const count = document.querySelector("[data-ticked]");
  for (const element of form.querySelectorAll("[data-with-script]")) element.hidden = false;

  const tell = () => {
    const ticked = boxes.filter((box) => box.checked).length;
    count.textContent = ticked ? ` (${ticked})` : "";
    all.checked = ticked === boxes.length;
    all.indeterminate = ticked > 0 && ticked < boxes.length;
  };

  all.addEventListener("change", () => {
    for (const box of boxes) box.checked = all.checked;
    tell();
  });
  for (const box of boxes) box.addEventListener("change", tell);
  tell();
}
