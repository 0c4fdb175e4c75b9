import { expect, test } from 'vitest';
import { readExactly } from '../../src/bytes/source.ts';
import { nodePieces } from '../../src/edit/edited-node.ts';
import { encodeSection, planEncode } from '../../src/edit/encode.ts';
import { type DecodedSection, parseDecodedSection } from '../../src/edit/read-decoded.ts';
import { parseDecodedLines } from '../../src/edit/read-ndjson.ts';
import { walk } from '../../src/layout/children.ts';
import type { Layout } from '../../src/layout/node.ts';
import { packagedSchemas } from '../../src/node/packaged-schemas.ts';
import { decodedSectionJson } from '../../src/render/decoded-json.ts';
import { ndjsonLine } from '../../src/render/ndjson.ts';
import { openVm, type Vm } from '../../src/vm/vm.ts';
import { fixtures, openFixture } from '../fixtures.ts';

async function decoded(vm: Vm, layout: Layout): Promise<DecodedSection> {
  const { start, end } = layout.root;
  const bytes = await readExactly(vm.source, start, end - start);
  const text = [...decodedSectionJson(layout, (node) => bytes.subarray(node.start - start, node.end - start))].join('');
  return parseDecodedSection(text, 'the section');
}

async function* lines(vm: Vm): AsyncGenerator<string> {
  for await (const layout of vm.layouts())
    for (const { node, path } of walk(layout.root)) yield [...ndjsonLine(layout, node, path)].join('');
}

const holdsAll = ({ root }: Layout): boolean => {
  for (const { node } of walk(root))
    if ((node.kind === 'leaf' && node.value === null) || (node.kind === 'gap' && !node.value)) return false;
  return true;
};

test.for(fixtures.map(({ name }) => name))('what QEMU wrote comes of the JSON alone: %s', async (name) => {
  for (const ignoreVmdesc of [false, true]) {
    const vm = await openVm(openFixture(name), { schemas: packagedSchemas, ignoreVmdesc });
    let written = 0;
    for await (const layout of vm.layouts()) {
      if (!holdsAll(layout)) continue;
      const { start, end } = layout.root;
      const edited = await encodeSection(await decoded(vm, layout), undefined);
      const pieces = nodePieces(edited).map((piece) => Buffer.from(piece as Uint8Array));
      const expected = await readExactly(vm.source, start, end - start);
      expect(Buffer.concat(pieces).equals(Buffer.from(expected)), `${layout.section} ${ignoreVmdesc}`).toBe(true);
      written += expected.byteLength;
    }
    expect(written).toBeGreaterThan(0);
    const { edits } = await planEncode(vm, parseDecodedLines(lines(vm), 'lines'));
    expect(edits.bodies.size).toBe(0);
  }
});

