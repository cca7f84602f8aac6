// The objects shown, kept true while the page is open: by what is told of them, and by what is no longer told. What
// only the server can judge it is asked about, object by object.

import { isHeard } from "../live.js";
import { hasEnded, isForAnother } from "../session.js";
import { admits, isInDoubt, mayAdmit } from "./membership.js";

const ASK_MS = 4_000;
const MOST_ASKED = 100;
const LOOK_EVERY_MS = 5_000;
const ALL_SILENT_EVERY_MS = 60_000;
const SILENT = { state: "stale", rank: 1, stale_at: null };

export class Followed {
  // `showChanged(features, isNews)`: they are the same, with other values; `showSet()`: it has others; `load()` all anew.
  constructor(filter, { showChanged, showSet, load, isNow }) {
    Object.assign(this, { filter, showChanged, showSet, load, isNow });
    this.objects = new Map();
    this.doubtful = new Set();
    this.asked = new Set();
    this.outside = new Set();
    this.turn = 0;
    setInterval(() => this.look(), LOOK_EVERY_MS);
  }

  take({ features, now }) {
    this.turn += 1;
    this.objects.clear();
    for (const feature of features) this.objects.set(feature.id, feature);
    this.doubtful.clear();
    this.outside.clear();
    this.loadedAt = Date.now();
    this.aheadMs = now - this.loadedAt;
  }

  hear(changes) {
    const wanted = this.filter.wanted();
    const changed = [];
    let isLess = false;
    for (const change of changes) {
      const feature = this.objects.get(change.id);
      if (this.asked.has(change.id)) this.doubt(change.id);
      if (!feature) this.judge(change, wanted);
      else if (change.gone) isLess = this.objects.delete(change.id);
      else {
        renew(feature, change);
        changed.push(feature);
        if (isInDoubt(feature.properties, change, wanted)) this.doubt(change.id);
      }
    }
    if (isLess) this.showSet();
    else if (changed.length) this.showChanged(changed, true);
  }

  // Of one that is not shown. What was asked about, and lies outside, is not asked about again at each of its values.
  judge(change, wanted) {
    if (change.gone || !admits(change, wanted)) this.outside.delete(change.id);
    else if (change.created || mayAdmit(change, wanted, this.outside.has(change.id))) this.doubt(change.id);
  }

  doubt(id) {
    this.doubtful.add(id);
    this.waiting ??= setTimeout(() => this.ask(), ASK_MS);
  }

  async ask() {
    this.waiting = null;
    const turn = this.turn;
    const ids = [...this.doubtful].slice(0, MOST_ASKED);
    if (!ids.length || hasEnded()) return;
    for (const id of ids) this.doubtful.delete(id);
    this.asked = new Set(ids);
    const told = await fetchSome(this.filter.query(), ids);
    this.asked.clear();
    if (turn !== this.turn) return;
    if (!told) {
      this.load();
      return;
    }
    this.put(ids, new Map(told.features.map((feature) => [feature.id, feature])));
    for (const id of this.doubtful) this.doubt(id);
  }

  put(ids, found) {
    for (const id of ids) {
      if (found.has(id)) this.objects.set(id, found.get(id));
      else this.objects.delete(id);
      if (found.has(id)) this.outside.delete(id);
      else this.outside.add(id);
    }
    this.showSet();
  }

  // A silent object sends no change: the page itself finds it. Where nothing is heard of any, it cannot know.
  look() {
    if (!this.isNow() || !isHeard()) return;
    const wanted = this.filter.wanted();
    const now = Date.now() + this.aheadMs;
    const silent = [...this.objects.values()].filter(({ properties }) => properties.stale_at && properties.stale_at < now);
    for (const { id, properties } of silent) {
      Object.assign(properties, SILENT);
      if (isInDoubt(properties, {}, wanted)) this.doubt(id);
    }
    if (silent.length) this.showChanged(silent, false);
    if (wanted.state === "stale" && Date.now() - this.loadedAt > ALL_SILENT_EVERY_MS) this.load();
  }
}

function renew(feature, change) {
  const { value, state, rank, attribute, at, stored, number, stale_at, position, shape } = change;
  Object.assign(feature.properties, { value, state, rank, attribute, at, stored, number, stale_at });
  if (!position) return;
  const [lng, lat] = feature.geometry?.coordinates ?? [];
  feature.isMoved ||= lng !== position[0] || lat !== position[1];
  feature.geometry = { type: "Point", coordinates: position };
  if (shape) feature.shape = shape;
}

async function fetchSome(query, ids) {
  for (const id of ids) query.append("id", id);
  const answer = await fetch(`/console/map.geojson?${query}`).catch(() => null);
  const told = answer?.ok && !answer.redirected ? await answer.json().catch(() => null) : null;
  return told && !isForAnother(told.who) ? told : null;
}
