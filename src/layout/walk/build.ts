import type { PathComponent } from '../../bytes/diagnostic.ts';
import type { CompiledVmsd } from '../../vmsd/compiled.ts';
import type { ResolveContext } from '../context.ts';
import type { StructNode } from '../node.ts';
import type { Machine } from './machine.ts';
import { NodeBuilder } from './nodes.ts';
import type { Outcome } from './outcome.ts';
import type { Doubt } from './readings.ts';
import type { Shadow } from './shadow.ts';

/** The nodes of one reading, and how far it came. */
interface BuiltReading {
  readonly root: StructNode;
  readonly outcome: Outcome;
  /** Names of the nodes that were open when the walk ended. */
  readonly path: readonly PathComponent[];
}

/** Walks what is known of a section's reading once more, for its nodes; what the walk does not get to is a gap. */
export function buildNodes(
  machine: Machine,
  context: ResolveContext,
  vmsd: CompiledVmsd,
  versionId: number,
  memory: Shadow,
  doubt?: Doubt,
): BuiltReading {
  const builder = new NodeBuilder(context, vmsd, versionId, doubt);
  const run = machine.start(vmsd, versionId, memory.branch());
  const outcome = machine.run(run, builder);
  const { path } = builder;
  return { root: builder.finish(run.offset, machine.end), outcome, path };
}
