import { DecodeError, type Diagnostic, printable } from '../bytes/diagnostic.ts';
import { fixedInfoLength } from '../infos/infos.ts';
import { childrenOf } from '../layout/children.ts';
import type { ArrayNode, LayoutNode, LeafNode, StructNode } from '../layout/node.ts';
import { layoutOf, type OpenedStream } from '../layout/open.ts';
import { LISTS, NULL_POINTER_TYPES, OBJECT_POINTER_MARKER } from '../schema/known-infos.ts';
import { NotLearnable, VmsdLearner } from '../schema/learn-vmsds.ts';
import { learnedSchema } from '../schema/learned-schema.ts';
import type { ObservedField, ObservedStruct } from '../schema/observed.ts';
import type { QemuSchema, SchemaObject } from '../schema/qemu-schema.ts';
import { findDevice, type StructSchema } from '../schema/schema.ts';
import { vmsdGraphProblem } from '../schema/vmsd-graph.ts';
import { scalarTypes } from '../vmsd/scalars.ts';

/** Elements of an array that are looked at. */
const MAX_ELEMENTS = 1 << 16;
/** What a published schema can hold. */
const MAX_NAME = 1024;
const INT32_MAX = 0x7fff_ffff;
/** Values above are no counts. */
const MAX_COUNT = 1 << 24;

export interface LearnedSchema {
  readonly schema: QemuSchema;
  /** Sections that nothing was learned from, and VMSDs that differ from stream to stream. */
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * Makes a schema of streams that describe themselves, which should all be of one build of QEMU: so that others of that
 * build, which do not, can be read. Each stream is asked for when the one before it is done with. Throws DecodeError
 * `no-schema` for a stream without a description, and when there is nothing to learn from any.
 */
export async function learnSchema(
  streams: Iterable<OpenedStream> | AsyncIterable<OpenedStream>,
): Promise<LearnedSchema> {
  const learner = new VmsdLearner();
  const objects: SchemaObject[] = [];
  const machineTypes = new Set<string>();
  const diagnostics: Diagnostic[] = [];
  for await (const opened of streams) {
    const { schema, source, stream } = opened;
    const name = source.name.slice(source.name.lastIndexOf('/') + 1);
    if (!schema) throw failure('it has no vmdesc to learn from', source.name);
    const object = objects.push({ name: name.slice(0, MAX_NAME), buildId: undefined }) - 1;
    if (stream.configuration) machineTypes.add(stream.configuration.machineType.slice(0, MAX_NAME));
    for (const section of stream.sections) {
      const { idstr, instanceId, occurrence } = section;
      const device = findDevice(schema, idstr, instanceId, occurrence);
      if (section.scanner || device?.vmsdName === undefined) continue;
      const { root, diagnostics: problems } = await layoutOf(opened, section);
      try {
        const problem = problems.find(({ severity }) => severity === 'error');
        if (problem) throw new NotLearnable(problem.message);
        learner.learn(new Observer(object, device).struct(root, 0));
      } catch (error) {
        if (!(error instanceof NotLearnable)) throw error;
        const message = `${printable(name)}: nothing is learned from this section: ${printable(error.message)}`;
        const place = { section: idstr, instanceId, range: { start: root.start, end: root.end } };
        diagnostics.push({ severity: 'warning', code: 'not-learned', message, ...place });
      }
    }
  }
  if (learner.vmsds.length === 0) throw failure('there is no device state to learn from');
  for (const { name, versionId, field, object } of learner.conflicts) {
    const message =
      `VMSD ${printable(name)} version ${versionId} of ${printable(objects[object]!.name)} is another one than in ` +
      `the streams before, by ${printable(field)}: they may be of different builds of QEMU`;
    diagnostics.push({ severity: 'warning', code: 'not-learned', message });
  }
  return { schema: makeSchema(learner, objects, [...machineTypes]), diagnostics };
}

function makeSchema(
  { vmsds }: VmsdLearner,
  objects: readonly SchemaObject[],
  machineTypes: readonly string[],
): QemuSchema {
  try {
    const schema = learnedSchema(vmsds, objects, machineTypes);
    const problem = vmsdGraphProblem(schema.vmsds);
    if (problem !== undefined) throw new NotLearnable(problem);
    return schema;
  } catch (error) {
    if (!(error instanceof NotLearnable)) throw error;
    throw failure(printable(error.message));
  }
}

function failure(message: string, source?: string): DecodeError {
  const options = source === undefined ? {} : { source };
  return new DecodeError({ severity: 'error', code: 'no-schema', message }, options);
}

const STRUCT_TYPES: ReadonlySet<string> = new Set(['struct', 'vstruct']);
const LIST_FLAG = '(more)';
const MAX_DEPTH = 64;

/** Sees the VMSDs in the layout of a section that its vmdesc describes. */
class Observer {
  readonly #object: number;
  /** VMSD and field of arrays whose elements are described each for itself. */
  readonly #each = new Set<string>();

  constructor(object: number, device: StructSchema) {
    this.#object = object;
    this.#findArrays(device);
  }

  #findArrays(struct: StructSchema): void {
    for (const { name, index, struct: inner } of struct.fields) {
      if (index !== undefined) this.#each.add(`${struct.vmsdName}/${name}`);
      if (inner) this.#findArrays(inner);
    }
    for (const subsection of struct.subsections) this.#findArrays(subsection);
  }

  struct(node: StructNode, depth: number): ObservedStruct {
    const { vmsdName, versionId, start, children } = node;
    if (vmsdName === undefined || versionId === undefined || depth > MAX_DEPTH)
      throw new NotLearnable('a struct has no name or version');
    checkName(vmsdName);
    if (versionId < -INT32_MAX || versionId > INT32_MAX) throw new NotLearnable(`version ${versionId}`);
    const fields: ObservedField[] = [];
    const subsections: ObservedStruct[] = [];
    const names = new Set<string>();
    for (const child of children) {
      if (child.type === 'subsection header' || child.name === LIST_FLAG) continue;
      if (child.kind === 'struct' && child.type === 'subsection') {
        subsections.push(this.struct(child, depth + 1));
        continue;
      }
      const field = this.#field(child, vmsdName, depth);
      if (names.has(field.name)) throw new NotLearnable(`${vmsdName} has two fields ${field.name}`);
      names.add(field.name);
      fields.push(field);
    }
    return { name: vmsdName, versionId, at: { object: this.#object, address: start }, fields, subsections };
  }

  #field(node: LayoutNode, vmsdName: string, depth: number): ObservedField {
    const name = String(node.name);
    checkName(name);
    if (node.kind === 'array') return this.#array(node, name, vmsdName, depth);
    return { ...this.#elements([node], name, depth), count: 1, each: false, value: countOf(node) };
  }

  #array(node: ArrayNode, name: string, vmsdName: string, depth: number): ObservedField {
    // Elements without bytes cost nothing to claim.
    const most = node.end > node.start ? INT32_MAX : MAX_ELEMENTS;
    if (node.length > most) throw new NotLearnable(`${node.length} elements of ${name}`);
    const elements: LayoutNode[] = [];
    // One value tells all of an array of plain ones.
    const enough = scalarTypes.has(node.type) ? 1 : MAX_ELEMENTS;
    for (const child of childrenOf(node)) {
      elements.push(child);
      if (elements.length >= enough) break;
    }
    const each = this.#each.has(`${vmsdName}/${name}`);
    return { ...this.#elements(elements, name, depth), count: node.length, each, value: undefined };
  }

  #elements(
    nodes: readonly LayoutNode[],
    name: string,
    depth: number,
  ): Pick<ObservedField, 'name' | 'type' | 'size' | 'sized' | 'nullType' | 'marked' | 'structs'> {
    const values = nodes.filter(({ type }) => !NULL_POINTER_TYPES.has(type));
    if (nodes.some(({ kind }) => kind === 'gap')) throw new NotLearnable(`nobody can name ${name}`);
    const [first] = values;
    const length = first ? first.end - first.start : 0;
    const type = first?.type;
    checkName(type ?? '');
    return {
      name,
      type,
      // QEMU counts a bitmap in bits.
      size: type === 'bitmap' ? length * 8 : length,
      sized: type === 'bitmap' || fixedInfoLength(type ?? '', length + 1, name) === length + 1,
      nullType: nodes.find(({ type: marker }) => NULL_POINTER_TYPES.has(marker))?.type,
      marked: nodes.some(isObjectMarker),
      structs: this.#structs(values, depth + 1),
    };
  }

  *#structs(nodes: readonly LayoutNode[], depth: number): Generator<ObservedStruct> {
    for (const node of nodes) {
      if (node.kind !== 'struct') continue;
      if (STRUCT_TYPES.has(node.type) || (node.type === 'tmp' && node.vmsdName !== undefined)) {
        yield this.struct(node, depth);
      } else if (LISTS.has(node.type)) {
        for (const child of node.children) if (child.kind === 'struct') yield this.struct(child, depth);
      }
    }
  }
}

function checkName(name: string): void {
  if (name.length > MAX_NAME) throw new NotLearnable(`a name of ${name.length} characters`);
}

function isObjectMarker({ type, kind, ...node }: LayoutNode): boolean {
  const value = kind === 'leaf' ? (node as LeafNode).value : undefined;
  return type === 'ptr-marker' && value instanceof Uint8Array && value[0] === OBJECT_POINTER_MARKER;
}

/** A value that can be the number of something. */
function countOf(node: LayoutNode): number | undefined {
  if (node.kind !== 'leaf') return undefined;
  const { value } = node;
  if (typeof value !== 'number' && typeof value !== 'bigint') return undefined;
  const number = Number(value);
  return number >= 0 && number <= MAX_COUNT ? number : undefined;
}
