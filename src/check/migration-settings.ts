import { badArgument, printable } from '../bytes/diagnostic.ts';

/** Migration capabilities of QEMU 5.2 to 11.1 (qapi/migration.json). */
export const CAPABILITIES: ReadonlySet<string> = new Set([
  'auto-converge',
  'background-snapshot',
  'block',
  'compress',
  'dirty-bitmaps',
  'dirty-limit',
  'events',
  'late-block-activate',
  'mapped-ram',
  'multifd',
  'pause-before-switchover',
  'postcopy-blocktime',
  'postcopy-preempt',
  'postcopy-ram',
  'rdma-pin-all',
  'release-ram',
  'return-path',
  'switchover-ack',
  'validate-uuid',
  'x-colo',
  'x-ignore-shared',
  'xbzrle',
  'zero-blocks',
  'zero-copy-send',
]);

/** Parameters that a load depends on; it takes no notice of the others. */
const PARAMETERS: ReadonlySet<string> = new Set([
  'block-bitmap-mapping',
  'multifd-channels',
  'multifd-compression',
]);

/** `NAME=on` or `NAME=off`. Throws DecodeError `bad-argument`. */
export function parseCapability(text: string): readonly [name: string, isOn: boolean] {
  const [, name = '', value] = /^([^=]*)=(on|off)$/.exec(text) ?? [];
  if (value === undefined) throw badArgument('NAME=on or NAME=off is expected');
  checkCapability(name);
  return [name, value === 'on'];
}

/** `NAME=VALUE`. Throws DecodeError `bad-argument`. */
export function parseParameter(text: string): readonly [name: string, value: string] {
  const [, name = '', value] = /^([^=]*)=(.*)$/s.exec(text) ?? [];
  if (value === undefined) throw badArgument('NAME=VALUE is expected');
  checkParameter(name);
  return [name, value];
}

/** Throws DecodeError `bad-argument` for names of capabilities and parameters that there are not. */
export function checkSettings(capabilities: object, parameters: object): void {
  for (const name of Object.keys(capabilities)) checkCapability(name);
  for (const name of Object.keys(parameters)) checkParameter(name);
}

function checkCapability(name: string): void {
  if (CAPABILITIES.has(name)) return;
  const known = [...CAPABILITIES].join(', ');
  throw badArgument(`no migration capability of QEMU is called '${printable(name)}'; these are: ${known}`);
}

function checkParameter(name: string): void {
  if (PARAMETERS.has(name)) return;
  const known = [...PARAMETERS].join(', ');
  throw badArgument(`a load does not depend on a parameter '${printable(name)}'; on these it does: ${known}`);
}
