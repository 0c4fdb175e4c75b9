import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { beforeEach, expect, test } from 'vitest';
import { applyEdits } from '../../src/edit/apply-edits.ts';
import { type Edit, planEdits } from '../../src/edit/edit.ts';
import { planManifest } from '../../src/edit/encode.ts';
import { checkBase, decodeStream, openDecoded } from '../../src/node/decode.ts';
import { type FileVm, openVm } from '../../src/node/open-vm.ts';
import { writeEdited } from '../../src/node/write-edited.ts';
import { temporaryFile, temporaryFolder } from '../cli/run.ts';
import { sha256 } from '../containers/environment.ts';
import { images, readImage } from '../containers/images.ts';

const folder = new URL('../../fixtures/libvirt/', import.meta.url);
const saves: readonly { readonly name: string; readonly format: string }[] = JSON.parse(
  readFileSync(new URL('manifest.json', folder), 'utf8'),
);
const saved = (name: string) => gunzipSync(readFileSync(new URL(`${name}.save.gz`, folder)));

let output: string;
beforeEach(() => {
  output = temporaryFolder();
});
const out = (name: string) => join(output, name);

async function withVm<T>(file: string, use: (vm: FileVm) => Promise<T>): Promise<T> {
  const vm = await openVm(file);
  return use(vm).finally(() => vm.close());
}

/** What comes of `decode` and `encode`. */
async function roundTrip(file: string, name: string): Promise<Buffer> {
  await withVm(file, async (vm) => {
    await decodeStream(vm, out(`${name}.decoded`));
    const { manifest, read } = await openDecoded(out(`${name}.decoded`));
    await checkBase(vm, manifest);
    await writeEdited(out(name), vm, await applyEdits(vm, await planManifest(vm, manifest, read)), file);
  });
  return readFileSync(out(name));
}

async function edited(file: string, name: string, ...edits: Edit[]): Promise<void> {
  await withVm(file, async (vm) => {
    await writeEdited(out(name), vm, await applyEdits(vm, await planEdits(vm, edits)), file);
  });
}

test.each(saves)('an image of libvirt is one again: $name', async ({ name, format }) => {
  const image = saved(name);
  const file = temporaryFile(image, 'vm.save');
  expect((await roundTrip(file, name)).equals(image)).toBe(true);
  await edited(file, `${name}.less`, { edit: 'drop', selector: 'timer' });
  const head = 92 + image.readUInt32LE(20);
  expect(
    readFileSync(out(`${name}.less`))
      .subarray(0, head)
      .equals(image.subarray(0, head)),
  ).toBe(true);
  const [before, after] = [await sectionsOf(file), await sectionsOf(out(`${name}.less`))];
  expect(after.containers).toEqual(before.containers);
  expect(after.sections).toEqual(before.sections.filter((idstr) => idstr !== 'timer'));
  expect(before.containers).toEqual([
    'libvirt save image',
    ...(format === 'raw' || format === 'sparse' ? [] : [format]),
  ]);
});

function sectionsOf(file: string) {
  return withVm(file, async ({ containers, sections }) => ({
    containers: containers.map(({ kind }) => kind),
    sections: sections.map(({ idstr }) => idstr),
  }));
}

test('the state of a snapshot is a stream, with all its bytes', async () => {
  const { name, info, vmStates } = images.find((image) => image.name === 'small-clusters')!;
  writeFileSync(out('disk.qcow2'), readImage(name));
  const { id } = info.snapshots![0]!;
  expect(sha256(await roundTrip(`${out('disk.qcow2')}#${id}`, 'snapshot.qevm'))).toBe(vmStates[id]);
});

test('pages of mapped-ram keep their places', async () => {
  const file = temporaryFile(saved('s390x-sparse'), 'vm.save');
  const name = 's390-ccw-virtio-10.0';
  await edited(file, 'alike.save', { edit: 'machine-type', name: name.replace('10.0', '11.1') });
  await expect(edited(file, 'longer.save', { edit: 'machine-type', name: `${name}x` })).rejects.toThrow(
    /pages have their places/,
  );
});
