import { DecodeError, type PathComponent, printable } from '../bytes/diagnostic.ts';
import {
  asArray,
  asInteger,
  asObject,
  asText,
  type CheckedObject,
  JsonProblem,
  parseCheckedJson,
} from '../schema/checked-json.ts';
import {
  component,
  type DecodedArray,
  type DecodedLeaf,
  type DecodedNode,
  type DecodedSection,
  type DecodedStruct,
  idstrText,
  nameText,
  optional,
  version,
  writtenValue,
} from './read-decoded.ts';

/** Levels of a line of JSON. */
const MAX_LINE_DEPTH = 4;
/** Names of a path; no walk goes deeper. */
const MAX_PATH = 256;

/** A node that more are put into. */
type Parent = (Omit<DecodedStruct, 'children'> | Omit<DecodedArray, 'children'>) & {
  readonly children: DecodedNode[];
};

interface Open {
  readonly node: Parent & DecodedNode;
  readonly depth: number;
}

/**
 * Reads the lines of `dump --ndjson`, and what was done to them since: a section when its last line was read. Throws
 * DecodeError `bad-argument` with the number of the line, also where a node has no parent in front of it.
 */
export async function* parseDecodedLines(
  lines: AsyncIterable<string>,
  file: string,
): AsyncGenerator<DecodedSection> {
  let number = 0;
  let current: { section: string; instanceId: number; root: Open['node'] } | undefined;
  let open: Open[] = [];
  for await (const line of lines) {
    number++;
    if (line.trim() === '') continue;
    try {
      const row = asObject(parseCheckedJson(line, MAX_LINE_DEPTH), 'the line');
      const section = idstrText(row['section'], 'section');
      const instanceId = asInteger(row['instance'], 0, 0xffff_ffff, 'instance');
      const path = asArray(row['path'], 'path').map((each, i) => component(each, `path[${i}]`));
      if (path.length > MAX_PATH) throw new JsonProblem(`"path" has ${path.length} names`);
      const node = nodeOf(row, path.at(-1) ?? '');
      if (path.length === 0) {
        if (current) yield sectionOf(current);
        if (node.kind !== 'struct') throw new JsonProblem('a section is no struct');
        current = { section, instanceId, root: node };
        open = [{ node, depth: 0 }];
        continue;
      }
      if (!current || current.section !== section || current.instanceId !== instanceId)
        throw new JsonProblem(`it has no line of the section ${printable(section)} itself in front of it`);
      while (open.length > 1 && open.at(-1)!.depth >= path.length) open.pop();
      const parent = open.at(-1)!;
      if (parent.depth !== path.length - 1 || !isInside(open, path))
        throw new JsonProblem(`nothing that "path" lies in is in front of it`);
      parent.node.children.push(node);
      if ('children' in node) open.push({ node, depth: path.length });
    } catch (error) {
      if (!(error instanceof JsonProblem)) throw error;
      const message = `line ${number}: ${error.message}`;
      throw new DecodeError(
        { severity: 'error', code: 'bad-argument', message },
        { cause: error, source: file },
      );
    }
  }
  if (current) yield sectionOf(current);
}

function sectionOf({
  section,
  instanceId,
  root,
}: {
  section: string;
  instanceId: number;
  root: Open['node'];
}): DecodedSection {
  if (root.kind !== 'struct') throw new JsonProblem('a section is no struct');
  return { section, instanceId, root };
}

function isInside(open: readonly Open[], path: readonly PathComponent[]): boolean {
  return open.every(({ node, depth }) => depth === 0 || node.name === path[depth - 1]);
}

function nodeOf(row: CheckedObject, name: PathComponent): DecodedLeaf | (Parent & DecodedNode) {
  const type = nameText(row['type'], 'type');
  switch (row['kind']) {
    case 'struct':
      return {
        kind: 'struct',
        name,
        type,
        vmsdName: optional(row['vmsd'], (each) => nameText(each, 'vmsd')),
        versionId: optional(row['version'], (each) => version(each, 'version')),
        value: optional(row['value'], (each) => asText(each, 'value')),
        children: [],
      };
    case 'array':
      return {
        kind: 'array',
        name,
        type,
        length: asInteger(row['length'], 0, 0xffff_ffff, 'length'),
        described: undefined,
        children: [],
      };
    case 'leaf':
    case 'gap':
      return { kind: row['kind'], name, type, value: writtenValue(row['value'] ?? null, 'value') };
    default:
      throw new JsonProblem('"kind" is none of leaf, gap, struct and array');
  }
}
