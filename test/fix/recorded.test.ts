import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { readLoads } from '../../scripts/truth/read-loads.mjs';
import { memorySource, readExactly } from '../../src/bytes/source.ts';
import type { RuleCode } from '../../src/check/rules.ts';
import { fixStream } from '../../src/fix/fix.ts';
import { packagedSchemas } from '../../src/node/packaged-schemas.ts';
import { openVm } from '../../src/vm/vm.ts';
import { destinationOf } from '../check/recorded-destination.ts';

const folder = new URL('../../fixtures/loads/', import.meta.url);

/** Streams that a real QEMU had refused, and loaded when they were fixed: scripts/truth/fixes.mjs writes such lines. */
const recorded: { readonly id: string; readonly byRule?: readonly RuleCode[]; readonly sha256: string }[] =
  JSON.parse(readFileSync(new URL('fixed.json', folder), 'utf8'));
const loads = new Map(readLoads(fileURLToPath(folder)).map((load) => [load.id, load]));
const open = { schemas: packagedSchemas };

test.each(recorded)('$id is fixed to the bytes that QEMU loaded', async ({ id, byRule = [], sha256 }) => {
  const load = loads.get(id)!;
  const vm = await openVm(memorySource(load.stream()), open);
  const { source } = await fixStream(vm, await destinationOf(load), { allow: ['loses', ...byRule], open });
  const bytes = await readExactly(source!, 0, source!.size);
  expect(createHash('sha256').update(bytes).digest('hex')).toBe(sha256);
});
