// The link to the bench carries the profile that is chosen and the frame that waits.

for (const link of document.querySelectorAll("[data-follows]")) {
  const choice = document.getElementById(link.dataset.follows);
  const follow = () => {
    const { base, query } = link.dataset;
    link.href = choice.value ? `${base}/${encodeURIComponent(choice.value)}?${query}` : base;
  };
  choice.addEventListener("change", follow);
  follow();
}
