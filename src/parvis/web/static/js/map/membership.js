// Whether an object is of the set that the filter asks for, as far as what is told of it says so. `wanted` is what the
// filter says: `state`, `above` (null: any), `isOfZone`, `isOfNames`.

export function admits({ state, rank, attribute, number }, wanted) {
  if (wanted.state === "attention" ? rank < 2 : wanted.state && state !== wanted.state) return false;
  if (wanted.above === null || !attribute || number === undefined) return true;
  return number !== null && number > wanted.above;
}

// Of one that is not shown, and that the filter admits by its value.
export function mayAdmit(change, wanted, isKnownOutside) {
  if ((change.placed && wanted.isOfZone) || (change.named && wanted.isOfNames)) return true;
  return !isKnownOutside && (Boolean(wanted.state) || wanted.above !== null);
}

// Of one that is shown.
export function isInDoubt(properties, change, wanted) {
  return Boolean((change.placed && wanted.isOfZone) || change.named || !admits(properties, wanted));
}
