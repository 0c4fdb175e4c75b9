import { evaluate } from '../expressions/evaluate.ts';
import type { Expression } from '../expressions/expression.ts';
import { fixedInfoLength } from '../infos/infos.ts';
import {
  type QemuSchema,
  VMS_ARRAY,
  VMS_ARRAY_OF_POINTER,
  VMS_ARRAY_OF_POINTER_AUTO_ALLOC,
  VMS_MULTIPLY_ELEMENTS,
  VMS_MUST_EXIST,
  VMS_STRUCT,
  VMS_VARRAY,
  VMS_VBUFFER,
  VMS_VSTRUCT,
  type VMStateField,
} from '../schema/qemu-schema.ts';
import { expressionShape, expressionText } from './expression-text.ts';
import { MemberNames } from './member-names.ts';
import type {
  PointerForm,
  RootVmsd,
  WireCount,
  WireElement,
  WireField,
  WireSide,
  WireTest,
  WireVmsd,
} from './wire-vmsd.ts';

/** The wire form of the tables of a binary, or of what was learned from streams. `name` is for people. */
export function wireOfSchema(schema: QemuSchema, name: string): WireSide {
  const reader = new SchemaReader(schema);
  const learned = schema.origin === 'streams';
  return {
    facts: {
      name,
      kind: learned ? 'learned' : 'tables',
      qemuVersion: schema.qemuVersion,
      target: schema.target,
      remarks: learned ? ['learned from streams: what was in none of them is not known'] : [],
    },
    roots: reader.roots(),
    types: learned ? undefined : new Set(schema.types.map((type) => type.name)),
    hasCounts: true,
    hasAll: learned ? 'nothing' : 'vmsds',
  };
}

/** VMSDs that an info of one device writes by hand, with the name of that info (hw/display/virtio-gpu.c). */
const WRITTEN_BY: ReadonlyMap<string, string> = new Map([['virtio-gpu-scanouts', 'virtio-gpu']]);

class SchemaReader {
  readonly #schema: QemuSchema;
  readonly #names: MemberNames;
  readonly #expressions: ReadonlyMap<number, Expression>;
  readonly #vmsds = new Map<number, WireVmsd>();
  readonly #tests = new Map<string, WireTest>();

  constructor(schema: QemuSchema) {
    this.#schema = schema;
    this.#names = new MemberNames(schema);
    this.#expressions = new Map(schema.expressions.map((entry) => [entry.function, entry.expression]));
  }

  /** VMSDs of devices, and those that no other one embeds: someone registers them by their own. */
  roots(): RootVmsd[] {
    const { vmsds, types } = this.#schema;
    const embedded = new Set(
      vmsds.flatMap(({ fields, subsections }) => [
        ...fields.flatMap(({ vmsd }) => vmsd ?? []),
        ...subsections,
      ]),
    );
    const users = new Map<number, string[]>();
    for (const type of types) {
      for (const index of type.vmsds) {
        const names = users.get(index);
        if (names) names.push(type.name);
        else users.set(index, [type.name]);
      }
    }
    return vmsds.flatMap(({ name, versionId, minimumVersionId, embeddedOnly }, index) => {
      const typesOf = users.get(index) ?? [];
      if (embeddedOnly || (typesOf.length === 0 && embedded.has(index))) return [];
      const inside = typesOf.length === 0 ? this.#writer(name ?? '', users) : undefined;
      return [{ types: typesOf, versionId, minimumVersionId, vmsd: this.#vmsd(index), inside }];
    });
  }

  /** The device with an info that writes a VMSD by hand. */
  #writer(vmsd: string, users: ReadonlyMap<number, readonly string[]>): RootVmsd['inside'] {
    const writer = WRITTEN_BY.get(vmsd);
    if (writer === undefined) return undefined;
    const { vmsds, infos } = this.#schema;
    const index = vmsds.findIndex(({ fields }) =>
      fields.some(({ info }) => info !== undefined && infos[info]?.name === writer),
    );
    return index < 0 ? undefined : { name: vmsds[index]?.name ?? writer, types: users.get(index) ?? [] };
  }

  /** Ends, as VMSDs of a schema do not contain themselves. */
  #vmsd(index: number): WireVmsd {
    const known = this.#vmsds.get(index);
    if (known) return known;
    const vmsd = this.#schema.vmsds[index]!;
    const { needed } = vmsd.callbacks;
    const made: WireVmsd = {
      name: vmsd.name,
      versionId: vmsd.versionId,
      minimumVersionId: vmsd.minimumVersionId,
      unmigratable: vmsd.unmigratable,
      earlySetup: vmsd.earlySetup,
      loadsOld: vmsd.callbacks.loadStateOld !== undefined,
      needed: needed === undefined ? undefined : this.#test(needed, index),
      fields: vmsd.fields.flatMap((field) => this.#field(field, index) ?? []),
      subsections: vmsd.subsections.map((subsection) => this.#vmsd(subsection)),
    };
    this.#vmsds.set(index, made);
    return made;
  }

  #test(index: number, vmsd: number): WireTest {
    const key = `${index} ${vmsd}`;
    const known = this.#tests.get(key);
    if (known) return known;
    const expression = this.#expressions.get(index);
    // Asked for each device that embeds the VMSD.
    const answers = new Map<number, boolean | undefined>();
    const test: WireTest =
      expression === undefined
        ? { text: () => undefined, shape: undefined, answer: () => undefined }
        : {
            text: (versionId) =>
              expressionText(expression, versionId, (place, mask) => this.#names.name(vmsd, place, mask)),
            shape: expressionShape(expression),
            answer(versionId) {
              if (answers.has(versionId)) return answers.get(versionId);
              const result = evaluate(expression, { version: versionId, load: () => undefined });
              const answer = result.known ? result.value !== 0n : undefined;
              answers.set(versionId, answer);
              return answer;
            },
          };
    this.#tests.set(key, test);
    return test;
  }

  /** Undefined for a field that neither writes nor checks anything. */
  #field(field: VMStateField, vmsd: number): WireField | undefined {
    const { name, flags, versionId, fieldExists } = field;
    const validates = (flags & VMS_MUST_EXIST) !== 0;
    const element = this.#element(field, vmsd) ?? (validates ? nothing : undefined);
    if (!element) return undefined;
    return {
      name,
      versionId,
      test: fieldExists === undefined ? undefined : this.#test(fieldExists, vmsd),
      validates,
      count: this.#count(field, vmsd),
      pointers: pointerForm(flags),
      element,
    };
  }

  #element(field: VMStateField, index: number): WireElement | undefined {
    const { flags, name, size } = field;
    const vmsd = field.vmsd === undefined ? undefined : this.#vmsd(field.vmsd);
    if (vmsd && flags & VMS_STRUCT) {
      const { versionId } = vmsd;
      return { kind: 'struct', info: undefined, vmsd, savedVersion: versionId, loadedVersion: versionId };
    }
    if (vmsd && flags & VMS_VSTRUCT) {
      const version = field.structVersionId;
      return { kind: 'struct', info: undefined, vmsd, savedVersion: version, loadedVersion: version };
    }
    const info = field.info === undefined ? undefined : this.#schema.infos[field.info]?.name;
    if (info === undefined) return undefined;
    // migration/vmstate-types.c, put_tmp and get_tmp, put_qtailq and get_qtailq …
    if (vmsd)
      return { kind: 'struct', info, vmsd, savedVersion: vmsd.versionId, loadedVersion: field.versionId };
    const varies = (flags & VMS_VBUFFER) !== 0;
    return {
      kind: 'value',
      info,
      length: varies ? undefined : fixedInfoLength(info, size, name),
      memory: this.#schema.origin === 'streams' ? undefined : size,
      sizeMember: varies
        ? this.#names.name(index, { root: 'opaque', path: [field.sizeOffset], size: field.sizeSize })
        : undefined,
    };
  }

  #count(field: VMStateField, vmsd: number): WireCount {
    const { flags, num, numOffset, numSize } = field;
    const factor = flags & VMS_MULTIPLY_ELEMENTS ? num : 1;
    if (flags & VMS_ARRAY) {
      // A number from elsewhere may be anything.
      const count = Math.max(0, num * factor);
      return { kind: 'fixed', count, isArray: true };
    }
    if (flags & VMS_VARRAY) {
      const member = this.#names.name(vmsd, { root: 'opaque', path: [numOffset], size: numSize });
      return { kind: 'member', member, factor };
    }
    return { kind: 'fixed', count: factor, isArray: false };
  }
}

/** What a VMSTATE_VALIDATE writes. */
const nothing: WireElement = { kind: 'value', info: undefined, length: 0, memory: 0, sizeMember: undefined };

function pointerForm(flags: number): PointerForm {
  if (flags & VMS_ARRAY_OF_POINTER_AUTO_ALLOC) return 'marked';
  return flags & VMS_ARRAY_OF_POINTER ? 'nullable' : 'none';
}
