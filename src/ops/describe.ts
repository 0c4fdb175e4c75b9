import type { OpenedStream } from '../layout/open.ts';
import type { JsonObject } from '../schema/vmdesc.ts';

/** The vmdesc of a stream: the JSON that QEMU appended. Undefined where there is none. */
export function describe(opened: OpenedStream): JsonObject | undefined {
  return opened.vmdesc;
}
