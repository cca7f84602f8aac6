// The code on a label by the phone's camera, where the browser can read one; else it is typed.

const FORMATS = ["qr_code", "data_matrix", "code_128", "code_39"];
const EVERY_MS = 200;

for (const part of document.querySelectorAll("[data-scan]")) {
  if (!("BarcodeDetector" in window) || !navigator.mediaDevices?.getUserMedia) continue;
  const button = part.querySelector("[data-scan-start]");
  let stop = null;
  button.hidden = false;
  button.addEventListener("click", async () => {
    if (stop) return stop();
    stop = () => {};
    stop = await scan(part, () => (stop = null));
  });
}

async function scan(part, ended) {
  const view = part.querySelector("[data-scan-view]");
  const state = part.querySelector("[data-scan-state]");
  const video = view.querySelector("video");
  const detector = await makeDetector();
  const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } }).catch(() => null);
  if (!stream || !detector) {
    stream?.getTracks().forEach((track) => track.stop());
    state.textContent = view.dataset.denied;
    ended();
    return null;
  }
  state.textContent = "";
  view.hidden = false;
  video.srcObject = stream;
  await video.play();
  const timer = setInterval(look, EVERY_MS);
  return stop;

  async function look() {
    const [found] = await detector.detect(video).catch(() => []);
    if (!found?.rawValue || view.hidden) return;
    const input = part.querySelector("input");
    input.value = found.rawValue;
    stop();
    input.focus();
    if (part.hasAttribute("data-scan-submits")) input.form.requestSubmit();
  }

  function stop() {
    clearInterval(timer);
    for (const track of stream.getTracks()) track.stop();
    view.hidden = true;
    ended();
  }
}

async function makeDetector() {
  const known = await BarcodeDetector.getSupportedFormats().catch(() => []);
  const formats = FORMATS.filter((one) => known.includes(one));
  return formats.length ? new BarcodeDetector({ formats }) : null;
}
