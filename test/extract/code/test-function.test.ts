import { describe, expect, test } from 'vitest';
import { checkExpression } from '../../../src/expressions/check-expression.ts';
import { simplify } from '../../../src/expressions/term-expression.ts';
import type { InstructionSet } from '../../../src/extract/code/instruction-set.ts';
import { testLimits } from '../../../src/extract/code/limits.ts';
import { loadInstructionSet } from '../../../src/extract/code/load-instruction-set.ts';
import { analyseTest } from '../../../src/extract/code/test-function.ts';
import { codeImage } from './code-image.ts';
import { testSpecimens } from './test-specimens.ts';

const set = (await loadInstructionSet('x86_64')) as InstructionSet;

describe('a test function', () => {
  for (const specimen of testSpecimens) {
    test(specimen.c, () => {
      const expression = analyseTest(codeImage(specimen), set, specimen.at);
      expect(expression).toEqual(specimen.expected);
      expect(simplify(expression)).toEqual(expression);
      expect(checkExpression(JSON.parse(JSON.stringify(expression)))).toEqual(expression);
    });
  }

  test('of an architecture that is not modelled', async () => {
    expect(await loadInstructionSet('s390x')).toBeUndefined();
  });

  test('is followed no farther than the limits', () => {
    const image = codeImage({ memory: { 4096: 'ebfe' } }); // jmp to itself
    expect(analyseTest(image, set, 4096)).toEqual(['unknown', 'loop']);
    const limits = { ...testLimits, visits: 1e9, instructions: 1000 };
    expect(analyseTest(image, set, 4096, limits)).toEqual(['unknown', 'limit']);
    const recursive = codeImage({ memory: { 4096: 'e8fbffffffc3' } }); // call of itself
    expect(analyseTest(recursive, set, 4096)).toMatchObject(['unknown', 'call']);
  });

  test('is followed no farther than what is left for all functions', () => {
    const image = codeImage({ memory: { 4096: '909090b801000000c3' } }); // three nops, return 1
    const left = { instructions: 8, branches: 0 };
    expect(analyseTest(image, set, 4096, testLimits, left)).toEqual(1);
    expect(left.instructions).toBe(3);
    for (let i = 0; i < 3; i++)
      expect(analyseTest(image, set, 4096, testLimits, left)).toEqual(['unknown', 'limit']);
  });

  test('outside the image, or of bytes that are no code', () => {
    expect(analyseTest(codeImage({ memory: {} }), set, 4096)).toEqual(['unknown', 'instruction']);
    expect(analyseTest(codeImage({ memory: { 4096: '06' } }), set, 4096)).toEqual(['unknown', 'instruction']);
  });

  test('that fills a variable when it is first called', () => {
    // static Object *machine; if (!machine) machine = resolve(); return machine->on;
    const image = codeImage({
      memory: {
        4144: 'ff25a22f0000',
        4368: 'f30f1efa488b05f52e00004885c074080fb64011c30f1f004883ec08e8fffeffff488905d82e00000fb640114883c408c3',
        16344: '00'.repeat(8),
        16400: '00'.repeat(8),
      },
      variables: [[0x4010, 8]],
      imports: { 16344: 'resolve' },
    });
    expect(analyseTest(image, set, 0x1110)).toEqual([
      'ne',
      ['load', ['load', 'global', 0x4010, 8], 17, 1],
      0,
    ]);
  });
});
