import { appendTo } from '../bytes/append-to.ts';
import type { QemuSchema } from '../schema/qemu-schema.ts';
import { TablesCompiler } from '../vmsd/compile-tables.ts';
import { MemberNames } from './member-names.ts';
import { PinnedProperties } from './pinned-properties.ts';
import type { RootVmsd, Side } from './side.ts';

/** The side of the tables of a binary, or of what was learned from streams. `name` is for people. */
export function sideOfSchema(schema: QemuSchema, name: string): Side {
  const compiler = new TablesCompiler(schema);
  const learned = schema.origin === 'streams';
  const roots = rootsOf(schema, compiler);
  return {
    facts: {
      name,
      kind: learned ? 'learned' : 'tables',
      qemuVersion: schema.qemuVersion,
      target: schema.target,
      remarks: learned ? ['learned from streams: what was in none of them is not known'] : [],
    },
    roots,
    types: learned ? undefined : new Set(schema.types.map((type) => type.name)),
    hasCounts: true,
    hasAll: learned ? 'nothing' : 'vmsds',
    names: new MemberNames(schema, compiler),
    machineTypes: learned ? undefined : schema.machineTypes,
    pinned: schema.machineProperties.length === 0 ? undefined : new PinnedProperties(schema, compiler, roots),
  };
}

/** VMSDs that an info of one device writes by hand, with the name of that info (hw/display/virtio-gpu.c). */
const WRITTEN_BY: ReadonlyMap<string, string> = new Map([['virtio-gpu-scanouts', 'virtio-gpu']]);

/** VMSDs of devices, and those that no other one embeds: someone registers them by their own. */
function rootsOf(schema: QemuSchema, compiler: TablesCompiler): RootVmsd[] {
  const embedded = new Set(
    schema.vmsds.flatMap(({ fields, subsections }) => [
      ...fields.flatMap(({ vmsd }) => vmsd ?? []),
      ...subsections,
    ]),
  );
  const users = new Map<number, string[]>();
  for (const { name, vmsds } of schema.types) for (const index of vmsds) appendTo(users, index, name);
  return schema.vmsds.flatMap(({ name, versionId, minimumVersionId, embeddedOnly }, index) => {
    const types = users.get(index) ?? [];
    if (embeddedOnly || (types.length === 0 && embedded.has(index))) return [];
    const inside = types.length === 0 ? writerOf(schema, name ?? '', users) : undefined;
    return [{ types, versionId, minimumVersionId, vmsd: compiler.vmsd(index), inside }];
  });
}

/** The device with an info that writes a VMSD by hand. */
function writerOf(
  { vmsds, infos }: QemuSchema,
  vmsd: string,
  users: ReadonlyMap<number, readonly string[]>,
): RootVmsd['inside'] {
  const writer = WRITTEN_BY.get(vmsd);
  if (writer === undefined) return undefined;
  const index = vmsds.findIndex(({ fields }) =>
    fields.some(({ info }) => info !== undefined && infos[info]?.name === writer),
  );
  return index < 0 ? undefined : { name: vmsds[index]?.name ?? writer, types: users.get(index) ?? [] };
}
