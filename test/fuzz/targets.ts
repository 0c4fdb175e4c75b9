import type { Target } from './target.ts';
import { dwarf, elf, machineCode } from './targets/binaries.ts';
import { capture } from './targets/capture.ts';
import { check } from './targets/check.ts';
import { commandLine } from './targets/command-line.ts';
import { libvirt, qcow2, wrappers } from './targets/containers.ts';
import { cut } from './targets/cut.ts';
import { options } from './targets/options.ts';
import { qmp, qmpMessages } from './targets/qmp.ts';
import { channels, iterative, mappedRam, pages, postcopy, xbzrle } from './targets/ram.ts';
import { diff, oracle, stream, tables, tail } from './targets/streams.ts';
import { dumpVmstate, explain, profile, schema, selectors } from './targets/texts.ts';

/** Whatever takes bytes from others; a new format gets a line here. */
export const targets: readonly Target[] = [
  stream,
  tables,
  oracle,
  tail,
  cut,
  diff,
  check,
  iterative,
  pages,
  xbzrle,
  mappedRam,
  postcopy,
  channels,
  qcow2,
  libvirt,
  ...wrappers,
  elf,
  dwarf,
  machineCode,
  schema,
  dumpVmstate,
  profile,
  capture,
  qmpMessages,
  qmp,
  selectors,
  options,
  explain,
  commandLine,
];

export function targetNamed(name: string): Target | undefined {
  return targets.find((target) => target.name === name);
}
