import type { Range } from '../../../src/bytes/range.ts';
import { memorySource } from '../../../src/bytes/source.ts';
import { checkExpression } from '../../../src/expressions/check-expression.ts';
import { loadInstructionSet } from '../../../src/extract/code/load-instruction-set.ts';
import { analyseTest } from '../../../src/extract/code/test-function.ts';
import { readDebugFile } from '../../../src/extract/debug-files.ts';
import { extractSchema } from '../../../src/extract/extract-schema.ts';
import { readSchemaSymbols } from '../../../src/extract/read-symbols.ts';
import { parseSchema } from '../../../src/schema/parse-schema.ts';
import type { QemuSchema } from '../../../src/schema/qemu-schema.ts';
import { serializeSchema } from '../../../src/schema/serialize-schema.ts';
import { codeImage } from '../../extract/code/code-image.ts';
import { testSpecimens } from '../../extract/code/test-specimens.ts';
import { sectionHeaders } from '../../extract/elf/edit-sections.ts';
import { DATA } from '../../extract/elf/elf-builder.ts';
import { plainQemu } from '../../extract/fake-qemu.ts';
import { symbolFixture } from '../../extract/symbol-fixtures.ts';
import { orRefused } from '../failure.ts';
import type { Target } from '../target.ts';

export const elf: Target = {
  name: 'elf',
  about: 'QEMU binaries: loaded, and their tables read',
  seeds: () => ['11.1', '8.0', '4.2'].map((layout) => plainQemu({ layout })),
  places: (bytes) => {
    const used = bytes.findLastIndex((byte) => byte !== 0) + 1;
    const places: Range[] = [];
    // The file's header and tables, and the data, in which are what VMSDs consist of.
    for (const [from, to] of [
      [0, 0x800],
      [DATA, used],
    ] as const) {
      for (let start = from; start + 8 <= to; start += 8)
        places.push(
          { start, end: start + 8 },
          { start, end: start + 4 },
          { start: start + 4, end: start + 8 },
        );
    }
    return places;
  },
  async judge(bytes) {
    const result = await orRefused(async () => {
      const schema = await extractSchema({ binary: memorySource(bytes, 'qemu'), modules: [] });
      const text = serializeSchema(schema);
      return { text, again: serializeSchema(parseSchema(text)) };
    });
    const isSame = result?.text === result?.again;
    return {
      problems: isSame ? [] : ['a schema that is not read as written'],
      result: result?.text ?? 'refused',
    };
  },
  testRuns: 40,
};

/** What the tables of the debug information's binary are: they do not depend on it. */
const tables = () =>
  extractSchema({ binary: memorySource(symbolFixture('qemu-10.0-devices'), 'qemu'), modules: [] });
let known: Promise<QemuSchema> | undefined;
/** Bytes of a VMStateDescription in QEMU 10.0. */
const VMSD_SIZE = 88;

export const dwarf: Target = {
  name: 'dwarf',
  about: 'symbols and debug information of QEMU binaries',
  seeds: () => ['qemu-10.0-devices', 'qemu-10.0-devices-dwz'].map(symbolFixture),
  inPlace: true,
  places: (bytes) => {
    const places: Range[] = [];
    for (const { name, header, offset, size } of sectionHeaders(bytes)) {
      if (!/^\.(debug|symtab|strtab|gnu)/.test(name)) continue;
      places.push({ start: header + 24, end: header + 40 });
      const end = offset + Math.min(size, 0x2000);
      for (let start = offset; start + 4 <= end; start += 2)
        places.push({ start, end: start + 1 }, { start, end: start + 4 });
    }
    return places;
  },
  async judge(bytes) {
    known ??= tables();
    const schema = await known;
    const file = await readDebugFile(memorySource(bytes, 'qemu'), undefined, {
      decompress: () => Promise.reject(new Error('nothing is compressed')),
      open: () => Promise.resolve(undefined),
      crc32: () => Promise.resolve(0),
      warn() {},
    });
    const symbols = readSchemaSymbols(schema, [file], VMSD_SIZE, (address) => ({ object: 0, address }));
    const text = serializeSchema({ ...schema, symbols });
    const isSame = serializeSchema(parseSchema(text)) === text;
    return { problems: isSame ? [] : ['symbols that are not read as written'], result: text };
  },
  testRuns: 40,
};

/** Where the code of an input is in the made-up program, and the object that it is called with. */
const CODE = 4096;

export const machineCode: Target = {
  name: 'machine-code',
  about: 'functions of x86-64 that tests are read from',
  seeds: () => testSpecimens.map(({ memory, at }) => Uint8Array.from(Buffer.from(memory[at] ?? '', 'hex'))),
  async judge(code) {
    const set = await loadInstructionSet('x86_64');
    if (!set) return { problems: ['no instruction set'] };
    const image = codeImage({
      memory: { [CODE]: Buffer.from(code).toString('hex') },
      variables: [[CODE + 200, 64]],
    });
    const expression = JSON.stringify(analyseTest(image, set, CODE));
    const problems =
      JSON.stringify(checkExpression(JSON.parse(expression))) === expression
        ? []
        : ['an expression that is none'];
    return { problems, result: expression };
  },
  testRuns: 40,
};
