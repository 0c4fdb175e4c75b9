import { describe, expect, test } from 'vitest';
import { checkExpression } from '../../src/machine-code/check-expression.ts';
import type { InstructionSet } from '../../src/machine-code/instruction-set.ts';
import { testLimits } from '../../src/machine-code/limits.ts';
import { loadInstructionSet } from '../../src/machine-code/load.ts';
import { simplify } from '../../src/machine-code/term-expression.ts';
import { analyseTest } from '../../src/machine-code/test-function.ts';
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

  test('outside the image, or of bytes that are no code', () => {
    expect(analyseTest(codeImage({ memory: {} }), set, 4096)).toEqual(['unknown', 'instruction']);
    expect(analyseTest(codeImage({ memory: { 4096: '06' } }), set, 4096)).toEqual(['unknown', 'instruction']);
  });

  test('that fills a variable when it is first called', () => {
    // static Object *machine; if (!machine) machine = resolve(); return machine->on;
    const code = '488b05f91f00004885c0740580781100eb0d50ff15f52f0000488905e61f00000f95c0c3';
    const image = codeImage({
      memory: { 4096: code, 12288: '00'.repeat(16), 16384: '00'.repeat(8) },
      variables: [[12288, 16]],
      imports: { 16384: 'resolve' },
    });
    expect(analyseTest(image, set, 4096)).toEqual(['ne', ['load', ['load', 'global', 12288, 8], 17, 1], 0]);
  });
});
