import { LISTS } from '../../schema/known-infos.ts';
import type { CompiledVmsd } from '../../vmsd/compiled.ts';
import type { ResolveContext } from '../context.ts';
import type { StructNode } from '../node.ts';
import { type BoundedInfo, type InfoTables, readBoundedInfo } from './bounded-info.ts';
import { buildNodes } from './build.ts';
import { FixedLengths } from './fixed-length.ts';
import { Machine } from './machine.ts';
import { Objects, Shadow } from './shadow.ts';
import type { AppliedMode, CountHints } from './walk-context.ts';

const NO_TABLES: InfoTables = { vmsds: () => [], infoField: () => undefined };
/** What opens up infos where no tables are known: none of those that need some. */
export const WITHOUT_TABLES: readonly InfoTables[] = [NO_TABLES];

const NO_HINTS: CountHints = { defaults: () => new Set() };

/**
 * Walks a section by what a vmdesc says of it: nothing is open, so that nothing is searched, but in the infos that it
 * leaves closed; these are opened by the first tables that explain them.
 */
export function walkApplied(
  context: ResolveContext,
  vmsd: CompiledVmsd,
  infoTables: Iterable<InfoTables>,
): StructNode {
  const { section, idstr, infos } = context;
  const applied = appliedMode(context, infoTables);
  const surroundings = { idstr, vmsds: () => [], cpus: 1, infos };
  const end = section.base + section.bytes.byteLength;
  const lengths = new FixedLengths(() => true, infos);
  const machine = new Machine(section, end, new Objects(), lengths, NO_HINTS, surroundings, { applied });
  const { root, outcome, path } = buildNodes(machine, context, vmsd, vmsd.versionId, Shadow.empty());
  if (outcome.kind === 'dead') {
    const range = { start: outcome.offset, end };
    const message = `it is not decoded any further: ${outcome.why}`;
    context.report({ severity: 'warning', code: 'vmdesc-mismatch', message, range, path });
  }
  return root;
}

function appliedMode(context: ResolveContext, infoTables: Iterable<InfoTables>): AppliedMode {
  return {
    report: (diagnostic) => context.report(diagnostic),
    readInfo(at, vmsd, path, isQuiet) {
      // Asked before the tables are: they may have to be loaded.
      if (!context.infos.get(at.type)?.read) return undefined;
      const here: ResolveContext = { ...context, path };
      if (LISTS.has(at.type)) {
        const inside: ResolveContext = {
          ...here,
          report: ({ path: below = [], ...diagnostic }) =>
            isQuiet || context.report({ ...diagnostic, path: [...path, ...below.slice(1)] }),
        };
        const read = vmsd && readBoundedInfo(here, at, vmsd, NO_TABLES, appliedMode(inside, infoTables));
        return read?.fits ? read.open()?.node : undefined;
      }
      let best: BoundedInfo | undefined;
      for (const tables of infoTables) {
        const read = readBoundedInfo(here, at, undefined, tables);
        if (read && (!best || read.fits || read.cost < best.cost)) best = read;
        if (read?.fits) break;
      }
      // Without tables that a reader can fail is no fault of the bytes.
      if (!best || (!best.fits && infoTables === WITHOUT_TABLES)) return undefined;
      const opened = best.open();
      if (opened?.diagnostic && !isQuiet) context.report(opened.diagnostic);
      return opened?.node;
    },
  };
}
