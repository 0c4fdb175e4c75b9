import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32, deflateSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { extractSchemaOfFile } from '../../src/node/schema-file.ts';
import { parseSchema } from '../../src/schema/parse-schema.ts';
import type { QemuSchema } from '../../src/schema/qemu-schema.ts';
import { serializeSchema } from '../../src/schema/serialize-schema.ts';
import { memberName, type SchemaSymbols } from '../../src/schema/symbols.ts';
import { sectionHeaders, sectionOf, withoutSections, withSections } from './elf/edit-sections.ts';
import { gdb, symbolFixture } from './symbol-fixtures.ts';

const devices = symbolFixture('qemu-10.0-devices');

let at: string;
beforeEach(() => {
  at = mkdtempSync(join(tmpdir(), 'vmwalk-symbols-'));
});
afterEach(() => rmSync(at, { recursive: true }));

/** 100 zero bytes, as zlib and `zstd` compress them. */
const ZLIB_OF_100 = '789c6360a03d000000640001';
const ZSTD_OF_100 = '28b52ffd045845000010000001003f012c2f502cc9';

const warnings: string[] = [];
beforeEach(() => warnings.splice(0));

function extract(
  bytes: Uint8Array,
  options: { files?: string[]; folders?: string[] } = {},
): Promise<QemuSchema> {
  const path = join(at, 'qemu-system-x86_64');
  writeFileSync(path, bytes);
  return extractSchemaOfFile(path, [], { ...options, onWarning: (message) => warnings.push(message) });
}

/** The symbols by address, which do not depend on how the debug information is stored. */
function comparable({ symbols }: QemuSchema): SchemaSymbols {
  if (!symbols) throw new Error('no symbols');
  return symbols;
}

describe('the symbols of a binary', () => {
  test('name functions and VMSDs, with the file and line that gdb has', async () => {
    const { functions, vmsds } = comparable(await extract(devices));
    expect(vmsds).toHaveLength(8);
    for (const symbol of vmsds) expect([symbol?.file, symbol?.line]).toEqual(gdb.vmsds[symbol!.name]);
    expect(functions.length).toBeGreaterThan(15);
    for (const symbol of functions) {
      const place = gdb.functions[symbol!.name];
      // GCC folded get_uint16 into get_int16: gdb, too, knows no place of it.
      if (!place) expect([symbol?.file, symbol?.line]).toEqual(['vmstate-types.c', undefined]);
      else expect([symbol?.file, symbol?.line]).toEqual(place);
    }
    expect(functions.filter((symbol) => symbol?.line !== undefined).length).toBeGreaterThan(12);
    expect(warnings).toEqual([]);
  });

  test('tell the struct that each VMSD describes, and members of it', async () => {
    const schema = await extract(devices);
    const { vmsds, structs } = comparable(schema);
    for (const [i, { fields }] of schema.vmsds.entries()) {
      const struct = structs[vmsds[i]!.struct!]!;
      if (struct.name === 'Fifo8') continue;
      const known = gdb.structs[struct.name]!;
      expect(struct.size).toBe(known.size);
      for (const { name, offset } of fields) {
        const member = Object.entries(known.members).find(([path]) => path.split(/[.[]/)[0] === name);
        expect(offset, name).toBe(member?.[1][0]);
      }
      for (const { path, offset, size } of struct.members)
        expect([offset, size]).toEqual(known.members[path]);
    }
    expect(structs.map(({ name }) => name).sort()).toEqual(['Fifo8', 'MC146818RtcState', 'SerialState']);
    const serial = structs.findIndex(({ name }) => name === 'SerialState');
    const [offset] = gdb.structs['SerialState']!.members['recv_fifo.num']!;
    expect(memberName(structs, serial, [offset], 4)).toMatchObject({ text: 'recv_fifo.num', behind: 0 });
    expect(memberName(structs, serial, [offset + 1], 1)).toMatchObject({ text: 'recv_fifo.num', behind: 1 });
    expect(memberName(structs, serial, [offset + 1], 4)).toBeUndefined();
    expect(memberName(structs, serial, [offset, 0], 4)).toBeUndefined();
  });

  test('are those of a build by another compiler', async () => {
    const [gcc, clang] = [await extract(devices), await extract(symbolFixture('qemu-10.0-devices-clang'))];
    expect(warnings).toEqual([]);
    const byName = (symbols: SchemaSymbols['functions']) =>
      new Map(symbols.map((symbol) => [symbol?.name, [symbol?.file, symbol?.line]]));
    expect(byName(comparable(clang).vmsds)).toEqual(byName(comparable(gcc).vmsds));
    const functions = byName(comparable(clang).functions);
    // Clang folds none of them, so that each has its place.
    for (const [name, place] of functions) expect(gdb.functions[name!] ?? place).toEqual(place);
    for (const [name] of byName(comparable(gcc).functions))
      expect(functions.get(name)?.[1], name).toBeDefined();
    const structs = ({ symbols }: QemuSchema) =>
      new Map(symbols?.structs.map(({ name, size, members }) => [name, { size, members: members.length }]));
    expect(structs(clang)).toEqual(structs(gcc));
    const fields = (schema: QemuSchema) =>
      new Map(
        schema.vmsds.map((vmsd) => [
          vmsd.name,
          vmsd.fields.map(({ name, offset, size, flags, num }) => [name, offset, size, flags, num]),
        ]),
      );
    expect(fields(clang)).toEqual(fields(gcc));
    expect(clang.expressions.map(({ expression }) => JSON.stringify(expression)).sort()).toEqual(
      gcc.expressions.map(({ expression }) => JSON.stringify(expression)).sort(),
    );
  });

  test('survive being written and read', async () => {
    const schema = await extract(devices);
    const text = serializeSchema(schema);
    expect(parseSchema(text)).toEqual(schema);
    expect(serializeSchema(parseSchema(text))).toBe(text);
  });

  test('leave the schema of a stripped binary as it is', async () => {
    const stripped = await extract(withoutSections(devices, /^\.(debug|symtab|strtab)/));
    expect(stripped.symbols).toBeUndefined();
    const { symbols, ...tables } = await extract(devices);
    expect(symbols).toBeDefined();
    expect(stripped).toEqual(tables);
    expect(
      serializeSchema(await extract(devices)).startsWith(serializeSchema(stripped).split('\n')[0]!),
    ).toBe(true);
  });

  test('are names without lines where only the symbol table is left', async () => {
    const { functions, vmsds, structs } = comparable(await extract(withoutSections(devices, /^\.debug/)));
    const all = comparable(await extract(devices));
    expect(vmsds.map((symbol) => symbol?.name)).toEqual(all.vmsds.map((symbol) => symbol?.name));
    expect(functions.map((symbol) => symbol?.name)).toEqual(all.functions.map((symbol) => symbol?.name));
    for (const symbol of [...functions, ...vmsds]) expect(symbol?.line).toBeUndefined();
    // Those that other files may use have no file in the symbol table.
    const isGlobal = (name: string) => ['vmstate_serial', 'vmstate_fifo8'].includes(name);
    for (const { name, file } of vmsds.flatMap((symbol) => symbol ?? []))
      expect(file, name).toBe(isGlobal(name) ? undefined : gdb.vmsds[name]?.[0].split('/').at(-1));
    expect(structs).toEqual([]);
  });
});

describe('debug information elsewhere', () => {
  const stripped = withoutSections(devices, /^\.(debug|symtab|strtab)/);
  const buildId = (bytes: Uint8Array) => {
    const { offset, size } = sectionOf(bytes, '.note.gnu.build-id');
    return Buffer.from(bytes.subarray(offset + 16, offset + size)).toString('hex');
  };

  test('is found by the build id', async () => {
    const id = buildId(devices);
    mkdirSync(join(at, 'debug/.build-id', id.slice(0, 2)), { recursive: true });
    writeFileSync(join(at, 'debug/.build-id', id.slice(0, 2), `${id.slice(2)}.debug`), devices);
    const found = await extract(stripped, { folders: [join(at, 'debug')] });
    expect(comparable(found)).toEqual(comparable(await extract(devices)));
  });

  test('is found by name, if it has the CRC that the binary says', async () => {
    const noId = withoutSections(devices, /^\.note/);
    const name = Buffer.from('q.debug\0');
    const link = Buffer.alloc(name.length + 4);
    link.set(name);
    link.writeUInt32LE(crc32(noId), name.length);
    const sections = new Map([['.strtab', { content: link, flags: 0 }]]);
    // No tool is at hand that adds a section: one that is not needed any more gets its name.
    const linked = withSections(withoutSections(stripped, /^\.note/), sections);
    const names = sectionOf(devices, '.shstrtab');
    const renamed = Buffer.concat([
      devices.subarray(names.offset, names.offset + names.size),
      Buffer.from('.gnu_debuglink\0'),
    ]);
    const file = withSections(linked, new Map([['.shstrtab', { content: renamed, flags: 0 }]]));
    new DataView(file.buffer).setUint32(sectionOf(linked, '.strtab').header, names.size, true);
    // The build id is told by the program header: without the note there is none.
    const noNotes = withoutNotes(file);
    mkdirSync(join(at, '.debug'));
    writeFileSync(join(at, '.debug/q.debug'), withoutNotes(noId));
    expect((await extract(noNotes)).symbols).toBeUndefined();
    new DataView(noNotes.buffer).setUint32(
      sectionOf(noNotes, '.gnu_debuglink').offset + 8,
      crc32(withoutNotes(noId)),
      true,
    );
    expect(comparable(await extract(noNotes)).vmsds).toEqual(comparable(await extract(devices)).vmsds);
  });

  test('is taken from a file that the user names, if it is of this build', async () => {
    const file = join(at, 'named.debug');
    writeFileSync(file, devices);
    expect(comparable(await extract(stripped, { files: [file] })).structs).toHaveLength(3);
    expect(warnings).toEqual([]);
    const other = Uint8Array.from(devices);
    other[sectionOf(other, '.note.gnu.build-id').offset + 20]! ^= 1;
    writeFileSync(file, other);
    await expect(extract(stripped, { files: [file] })).rejects.toMatchObject({
      code: 'bad-argument',
      message: `${file} has no debug information of this build`,
    });
    for (const binary of [stripped, devices])
      await expect(extract(binary, { files: [join(at, 'none')] })).rejects.toMatchObject({
        code: 'io',
        message: expect.stringContaining('none'),
      });
    expect(warnings).toEqual([]);
    await extract(devices, { files: [file] });
    expect(warnings).toEqual([`${file} is not used: the binary has debug information of its own`]);
  });

  test('that is there but cannot be read is warned of; what is not there is not', async () => {
    const id = buildId(devices);
    const folder = join(at, 'debug/.build-id', id.slice(0, 2));
    mkdirSync(folder, { recursive: true });
    const place = join(folder, `${id.slice(2)}.debug`);
    expect((await extract(stripped, { folders: [join(at, 'debug')] })).symbols).toBeUndefined();
    expect(warnings).toEqual([]);
    symlinkSync(join(at, 'gone.debug'), place);
    expect((await extract(stripped, { folders: [join(at, 'debug')] })).symbols).toBeUndefined();
    expect(warnings).toEqual([expect.stringContaining(place)]);
  });

  test('may be shared with other binaries (dwz)', async () => {
    const shared = symbolFixture('qemu-10.0-devices-dwz');
    const supplement = join(at, 'common.debug');
    writeFileSync(supplement, symbolFixture('qemu-10.0-supplement'));
    const found = comparable(await extract(shared));
    const own = comparable(await extract(devices));
    expect(found).toEqual(own);
    expect(warnings).toEqual([]);
    rmSync(supplement);
    const partly = comparable(await extract(shared));
    expect(partly.vmsds.map((symbol) => symbol?.name)).toEqual(own.vmsds.map((symbol) => symbol?.name));
    expect(warnings.join()).toContain('common.debug');
  });

  test('may be compressed', async () => {
    const contents = new Map(
      sectionHeaders(devices)
        .filter(({ name }) => name.startsWith('.debug'))
        .map(({ name, offset, size }) => {
          const header = Buffer.alloc(24);
          header.writeUInt32LE(1, 0);
          header.writeBigUInt64LE(BigInt(size), 8);
          const content = Buffer.concat([header, deflateSync(devices.subarray(offset, offset + size))]);
          return [name, { content, flags: 0x800 }] as const;
        }),
    );
    const compressed = withSections(devices, contents);
    expect(comparable(await extract(compressed))).toEqual(comparable(await extract(devices)));
    // What unpacks to something else than it says is left out, and said.
    const { offset } = sectionOf(compressed, '.debug_info');
    new DataView(compressed.buffer).setBigUint64(offset + 8, 12n, true);
    expect(comparable(await extract(compressed)).structs).toEqual([]);
    expect(warnings).toEqual([
      expect.stringMatching(
        /: its debug information is not used: \.debug_info unpacks to more than it says$/,
      ),
    ]);
    new DataView(compressed.buffer).setBigUint64(offset + 8, 1n << 40n, true);
    await extract(compressed);
    expect(warnings.at(-1)).toContain('unpacks to more than can be');
    compressed.fill(0xff, offset + 24, offset + 40);
    new DataView(compressed.buffer).setBigUint64(
      offset + 8,
      BigInt(sectionOf(devices, '.debug_info').size),
      true,
    );
    await extract(compressed);
    expect(warnings.at(-1)).toContain('.debug_info cannot be unpacked: ');
  });

  test.for([
    ['zlib', 1, ZLIB_OF_100],
    ['zstd', 2, ZSTD_OF_100],
  ] as const)('that is compressed by %s to more than it says is named', async ([, type, packed]) => {
    const content = Buffer.concat([Buffer.alloc(24), Buffer.from(packed, 'hex')]);
    content.writeUInt32LE(type, 0);
    content.writeBigUInt64LE(99n, 8);
    await extract(withSections(devices, new Map([['.debug_str', { content, flags: 0x800 }]])));
    expect(warnings).toEqual([expect.stringContaining(': .debug_str unpacks to more than it says')]);
    content.writeBigUInt64LE(101n, 8);
    await extract(withSections(devices, new Map([['.debug_str', { content, flags: 0x800 }]])));
    expect(warnings.at(-1)).toContain('.debug_str unpacks to 100 bytes, not 101');
  });

  test.for(['.debug_info', '.debug_abbrev', '.debug_line', '.symtab', '.strtab'])(
    'that is outside of the file (%s) is warned of',
    async (name) => {
      const bytes = Uint8Array.from(devices);
      new DataView(bytes.buffer).setBigUint64(sectionOf(bytes, name).header + 32, 1n << 63n, true);
      await extract(bytes);
      expect(warnings).toEqual([expect.stringContaining(`: ${name} is outside of the file`)]);
    },
  );

  test('whose section headers are outside of the file is warned of', async () => {
    const bytes = Uint8Array.from(devices);
    new DataView(bytes.buffer).setBigUint64(40, 1n << 40n, true);
    expect((await extract(bytes)).symbols).toBeUndefined();
    expect(warnings).toEqual([expect.stringContaining('its section headers are outside of the file')]);
  });
});

describe('damaged debug information', () => {
  const contentOf = (name: string) => {
    const { offset, size } = sectionOf(devices, name);
    return devices.slice(offset, offset + size);
  };
  const replaced = (contents: Readonly<Record<string, Uint8Array>>) =>
    withSections(
      devices,
      new Map(Object.entries(contents).map(([name, content]) => [name, { content, flags: 0 }])),
    );

  test('has one warning with section, place, reason and number', async () => {
    const info = contentOf('.debug_info');
    // The last of its units is not whole.
    await extract(replaced({ '.debug_info': info.subarray(0, info.length - 100) }));
    expect(warnings).toEqual([
      expect.stringMatching(
        /: a part of its debug information is damaged and left out: \.debug_info at 0x[0-9a-f]+: a unit has an impossible length$/,
      ),
    ]);
    warnings.splice(0);
    new DataView(info.buffer).setUint16(4, 9, true);
    await extract(replaced({ '.debug_info': info }));
    expect(warnings).toEqual([expect.stringContaining('.debug_info at 0x0: a unit of DWARF version 9')]);
  });

  test.for([
    ['.debug_abbrev', /\.debug_\w+ at 0x[0-9a-f]+: /],
    ['.debug_str', /\.debug_str at 0x[0-9a-f]+: there is no name \(\d+ such problems\)$/],
    ['.debug_line', /\.debug_line at 0x[0-9a-f]+: it ends inside an entry/],
  ] as const)('in %s, cut short, has a warning, and does not change tables', async ([name, reason]) => {
    const content = contentOf(name);
    const { symbols, ...tables } = await extract(
      replaced({ [name]: content.subarray(0, content.length / 2) }),
    );
    expect(symbols).toBeDefined();
    expect(warnings).toEqual([expect.stringMatching(reason)]);
    const { symbols: _, ...whole } = await extract(devices);
    expect(tables).toEqual(whole);
    expect(warnings).toHaveLength(1);
  });

  test('of units that are in .dwo files says that those are not read', async () => {
    // DW_TAG_compile_unit without children: DW_AT_dwo_name as DW_FORM_string. The unit is a DW_UT_skeleton.
    const abbrev = Uint8Array.of(1, 0x11, 0, 0x76, 0x08, 0, 0, 0);
    const unit = [
      ...Uint8Array.of(23, 0, 0, 0, 5, 0, 4, 8),
      ...new Array(12).fill(0),
      1,
      ...Buffer.from('a.dwo\0'),
    ];
    const info = Uint8Array.from([...unit, ...unit]);
    const { symbols } = await extract(replaced({ '.debug_info': info, '.debug_abbrev': abbrev }));
    expect(symbols?.structs).toEqual([]);
    expect(warnings).toEqual([
      expect.stringContaining(
        ': .dwo files are not read, where the debug information of 2 of its units is (a.dwo)',
      ),
    ]);
  });
});

/** A file whose program headers name no notes. */
function withoutNotes(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const file = Uint8Array.from(bytes);
  const view = new DataView(file.buffer);
  const table = Number(view.getBigUint64(32, true));
  for (let i = 0; i < view.getUint16(56, true); i++)
    if (view.getUint32(table + 56 * i, true) === 4) view.setUint32(table + 56 * i, 0, true);
  return file;
}
