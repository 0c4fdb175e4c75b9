import type { JSONPath } from 'jsonc-parser';
import { DecodeError } from '../bytes/diagnostic.ts';
import { InvalidJson, JsonProblem } from '../schema/checked-json.ts';

/** The path that a message of a JsonProblem begins with. */
const PATH = /^"([^"]+)"/;
const COMPONENT = /([^.[\]]+)|\[(\d+)\]/g;

/**
 * The line, counted from 1, of what is at a path in a text of JSON, or of what is nearest above it; without a path that of
 * its first mistake. The text has been parsed before: neither its length nor its depth is checked.
 */
export async function lineOfJson(text: string, path: JSONPath | undefined): Promise<number | undefined> {
  const { findNodeAtLocation, parseTree } = await import('jsonc-parser');
  const errors: { readonly offset: number }[] = [];
  const root = parseTree(text, errors as Parameters<typeof parseTree>[1]);
  let offset = path ? root?.offset : errors[0]?.offset;
  for (let length = path?.length ?? 0; root && path && length > 0; length--) {
    const found = findNodeAtLocation(root, path.slice(0, length));
    if (!found) continue;
    offset = found.offset;
    break;
  }
  return offset === undefined ? undefined : text.slice(0, offset).split('\n').length;
}

/** An error of reading a text of JSON, with the line in front of its message where it is of a place. */
export async function withLine(error: unknown, text: string): Promise<unknown> {
  if (!(error instanceof DecodeError) || !(error.cause instanceof JsonProblem)) return error;
  const { cause, diagnostic, source } = error;
  const path = PATH.exec(cause.message)?.[1];
  if (path === undefined && !(cause instanceof InvalidJson)) return error;
  const components = path && [...path.matchAll(COMPONENT)].map(([, name, index]) => name ?? Number(index));
  const line = await lineOfJson(text, components || undefined);
  if (line === undefined) return error;
  const message = `line ${line}: ${diagnostic.message}`;
  return new DecodeError({ ...diagnostic, message }, { cause, ...(source === undefined ? {} : { source }) });
}
