// Lengths and areas on the earth's sphere of mean radius (IUGG), places as [longitude, latitude] in degrees.

import { language, number } from "../words.js";

const EARTH_M = 6_371_008.8;
const SPACE = "\u00a0";
const KM = 1_000;
const HECTARE = 10_000;
const KM2 = 1_000_000;

const radians = (degrees) => (degrees * Math.PI) / 180;

// Haversine.
export function distance([lng1, lat1], [lng2, lat2]) {
  const height = Math.sin(radians(lat2 - lat1) / 2) ** 2;
  const width = Math.sin(radians(lng2 - lng1) / 2) ** 2;
  return 2 * EARTH_M * Math.asin(Math.sqrt(height + Math.cos(radians(lat1)) * Math.cos(radians(lat2)) * width));
}

export function length(places) {
  return places.slice(1).reduce((sum, place, index) => sum + distance(places[index], place), 0);
}

// R. G. Chamberlain, W. H. Duquette, "Some algorithms for polygons on a sphere", JPL Publication 07-03 (2007).
export function area(corners) {
  if (corners.length < 3) return 0;
  let sum = 0;
  corners.forEach(([lng, lat], index) => {
    const [nextLng, nextLat] = corners[(index + 1) % corners.length];
    sum += radians(nextLng - lng) * (2 + Math.sin(radians(lat)) + Math.sin(radians(nextLat)));
  });
  return Math.abs((sum * EARTH_M * EARTH_M) / 2);
}

export function lengthText(metres) {
  return metres < KM ? `${number(Math.round(metres))}${SPACE}m` : `${rounded(metres / KM)}${SPACE}km`;
}

export function areaText(metres2) {
  if (metres2 < HECTARE) return `${number(Math.round(metres2))}${SPACE}m²`;
  return metres2 < KM2 ? `${rounded(metres2 / HECTARE)}${SPACE}ha` : `${rounded(metres2 / KM2)}${SPACE}km²`;
}

function rounded(value) {
  return new Intl.NumberFormat(language, { maximumSignificantDigits: value < 1_000 ? 3 : 6 }).format(value);
}
