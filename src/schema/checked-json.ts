import { printable } from '../bytes/diagnostic.ts';
import { excessOfJson } from '../bytes/json-excess.ts';

/** What is wrong with a text of JSON, or a value in it; for who knows the file to say of what. */
export class JsonProblem extends Error {}

export type CheckedObject = Readonly<Record<string, unknown>>;

/** Characters of a text; the largest real one has 2.2 million. */
const MAX_TEXT = 64 << 20;
const MAX_STRING = 1024;
/** Elements of any array. */
const MAX_ELEMENTS = 1_000_000;

/** Parses JSON that may come from anybody. Throws JsonProblem, also where it nests deeper than `maxDepth`. */
export function parseCheckedJson(text: string, maxDepth: number): unknown {
  if (text.length > MAX_TEXT) throw new JsonProblem(`it has ${text.length} characters, more than can be`);
  const excess = excessOfJson(text, maxDepth);
  if (excess !== undefined) throw new JsonProblem(excess);
  try {
    return JSON.parse(text);
  } catch (error) {
    const reason = printable(error instanceof Error ? error.message : String(error)).slice(0, 100);
    throw new InvalidJson(`it is not valid JSON (${reason})`);
  }
}

/** It is no JSON, though neither too long nor too deep. */
export class InvalidJson extends JsonProblem {}

export function asObject(value: unknown, path: string): CheckedObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new JsonProblem(`${quoted(path)} is not an object`);
  return value as CheckedObject;
}

export function asArray(value: unknown, path: string): readonly unknown[] {
  if (!Array.isArray(value)) throw new JsonProblem(`${quoted(path)} is not an array`);
  if (value.length > MAX_ELEMENTS)
    throw new JsonProblem(`${quoted(path)} has ${value.length} rows, more than can be`);
  return value;
}

export function asInteger(value: unknown, minimum: number, maximum: number, path: string): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < minimum || value > maximum)
    throw new JsonProblem(`${quoted(path)} is no integer from ${minimum} to ${maximum}`);
  // Not minus zero.
  return value + 0;
}

export function asInt32(value: unknown, path: string): number {
  return asInteger(value, -0x8000_0000, 0x7fff_ffff, path);
}

export function asString(value: unknown, path: string): string {
  const text = asText(value, path);
  if (text.length > MAX_STRING)
    throw new JsonProblem(`${quoted(path)} has ${text.length} characters, more than ${MAX_STRING}`);
  return text;
}

/** A string of any length. */
export function asText(value: unknown, path: string): string {
  if (typeof value !== 'string') throw new JsonProblem(`${quoted(path)} is not a string`);
  return value;
}

export function asBoolean(value: unknown, path: string): boolean {
  if (typeof value !== 'boolean') throw new JsonProblem(`${quoted(path)} is neither true nor false`);
  return value;
}

/** A place in the JSON, for a message. */
export function quoted(path: string): string {
  return path === 'the file' ? path : `"${printable(path)}"`;
}
