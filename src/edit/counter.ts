import type { PathComponent } from '../bytes/diagnostic.ts';
import type { SchemaTables } from '../layout/tables.ts';
import { type CompiledField, type CompiledMember, type CompiledVmsd, elementType } from '../vmsd/compiled.ts';
import { scalarTypes } from '../vmsd/scalars.ts';

/** The field that counts the elements of others, in the same struct. */
export interface Counter {
  /** Name of the field. */
  readonly name: string;
  readonly type: string;
  /** Elements, or bytes of a buffer, for each that it counts. */
  readonly factor: number;
  /** All fields that it counts. */
  readonly counted: readonly string[];
}

/**
 * The counter of an array or a buffer of a VMSD; a text that says why there is none: its length is fixed, or what counts
 * it is not in the stream.
 */
export function counterOf(
  tables: Iterable<SchemaTables>,
  vmsdName: string,
  versionId: number | undefined,
  field: PathComponent,
): Counter | string {
  let reason = `no tables that are known have a field ${field} in ${vmsdName}`;
  for (const each of tables) {
    const vmsds = each
      .vmsds(vmsdName)
      .filter((vmsd) => versionId === undefined || vmsd.versionId === versionId);
    for (const vmsd of vmsds) {
      const counted = vmsd.fields.find(({ name }) => name === field);
      if (!counted) continue;
      const found = counterIn(vmsd, counted);
      if (typeof found !== 'string') return found;
      reason = found;
    }
  }
  return reason;
}

function memberOf({ count, bufferSize }: CompiledField): CompiledMember | undefined {
  return count.kind === 'member' ? count : bufferSize;
}

function counterIn(vmsd: CompiledVmsd, counted: CompiledField): Counter | string {
  const member = memberOf(counted);
  if (!member) return `the length of ${counted.name} is fixed`;
  const counter = vmsd.fields.find(
    (field) =>
      field.offset === member.offset && field.size === member.width && scalarTypes.has(elementType(field)),
  );
  if (!counter)
    return `what counts ${counted.name} is not in the stream: it is set by the command line or the machine type`;
  const fields = vmsd.fields.filter((field) => {
    const other = memberOf(field);
    return other?.offset === member.offset && other.width === member.width;
  });
  return {
    name: counter.name,
    type: elementType(counter),
    factor: member.factor,
    counted: fields.map(({ name }) => name),
  };
}

/** Why what QEMU's own code writes has as many elements as it has, by the type of the node that they are in. */
const FIXED: Readonly<Record<string, string>> = {
  'msix state':
    'there are as many vectors as the MSI-X capability in the PCI configuration says, and a bit for each: vectors= on the command line',
  VirtQueue:
    'the device has as many queues as its properties say (queues=, num-queues=): the command line makes them',
  qtailq:
    'a list has a marker in front of each element: --drop takes one out, --copy brings the list of another stream',
  qlist:
    'a list has a marker in front of each element: --drop takes one out, --copy brings the list of another stream',
  gtree: 'a tree has a key for each element: --drop takes one out, --copy brings the tree of another stream',
};

/** Why the number of elements cannot be changed of what is at the end of a way through a section, as no VMSD counts it. */
export function whyFixed(way: readonly { readonly type: string }[]): string {
  const found = way.findLast(({ type }) => FIXED[type] !== undefined);
  return (found && FIXED[found.type]) ?? 'it is no array or buffer of a VMSD';
}
