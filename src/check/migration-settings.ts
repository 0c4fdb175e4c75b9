import { badArgument } from '../bytes/diagnostic.ts';

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
  if (!CAPABILITIES.has(name)) throw badArgument(`QEMU has none of these: ${[...CAPABILITIES].join(', ')}`);
  return [name, value === 'on'];
}

/** `NAME=VALUE`. Throws DecodeError `bad-argument`. */
export function parseParameter(text: string): readonly [name: string, value: string] {
  const [, name = '', value] = /^([^=]*)=(.*)$/s.exec(text) ?? [];
  if (value === undefined) throw badArgument('NAME=VALUE is expected');
  if (!PARAMETERS.has(name)) throw badArgument(`a load depends on these only: ${[...PARAMETERS].join(', ')}`);
  return [name, value];
}
