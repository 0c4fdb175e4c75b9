/**
 * The files a virtual machine needs, made in its working directory from one-word recipes.
 */

import { closeSync, copyFileSync, ftruncateSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { runIn } from "./qemu.mjs";

/**
 * `zero:SIZE`, `pattern:SIZE` (pages that differ), `qcow2:SIZE`, `copy:PATH` (inside the root), `hex:BYTES`,
 * `asset:NAME` (a file beside the manifest).
 *
 * @typedef {Record<string, string>} FileRecipes
 */

/**
 * @param {import("./qemu.mjs").Workspace} workspace
 * @param {FileRecipes} recipes
 * @param {string} assets  The directory `asset:` names are relative to.
 */
export function makeFiles(workspace, recipes, assets) {
  for (const [name, recipe] of Object.entries(recipes)) {
    const colon = recipe.indexOf(":");
    const kind = recipe.slice(0, colon);
    const argument = recipe.slice(colon + 1);
    const path = join(workspace.outside, name);
    switch (kind) {
      case "zero":
        makeSparse(path, parseSize(argument));
        break;
      case "pattern":
        writeFileSync(path, patternOf(parseSize(argument)));
        break;
      case "hex":
        writeFileSync(path, Buffer.from(argument, "hex"));
        break;
      case "qcow2":
        runIn(workspace, "qemu-img", ["create", "-q", "-f", "qcow2", name, argument]);
        break;
      case "copy":
        copyFileSync(join(workspace.root, argument), path);
        break;
      case "asset":
        if (argument.endsWith(".gz")) writeFileSync(path, gunzipSync(readFileSync(join(assets, argument))));
        else copyFileSync(join(assets, argument), path);
        break;
      default:
        throw new Error(`${name}: "${kind}" is not a way to make a file`);
    }
  }
}

/** @param {string} text */
function parseSize(text) {
  const match = /^(\d+)([KMG]?)$/.exec(text);
  if (match === null) throw new Error(`"${text}" is not a size`);
  return Number(match[1]) * { "": 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 }[/** @type {""} */ (match[2])];
}

/**
 * @param {string} path
 * @param {number} size
 */
function makeSparse(path, size) {
  const fd = openSync(path, "w");
  ftruncateSync(fd, size);
  closeSync(fd);
}

/**
 * Bytes of a linear congruential generator: the same on every run, of no use to a compressor.
 *
 * @param {number} size
 */
function patternOf(size) {
  const bytes = Buffer.alloc(size);
  let state = 1;
  for (let offset = 0; offset < size; offset++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[offset] = state >>> 24;
  }
  return bytes;
}
