import fc from 'fast-check';
import { expect, test } from 'vitest';
import { checkExpression } from '../../../src/expressions/check-expression.ts';
import type { InstructionSet } from '../../../src/extract/code/instruction-set.ts';
import { loadInstructionSet } from '../../../src/extract/code/load-instruction-set.ts';
import { analyseTest } from '../../../src/extract/code/test-function.ts';
import { codeImage } from './code-image.ts';
import { testSpecimens } from './test-specimens.ts';

const set = (await loadInstructionSet('x86_64')) as InstructionSet;
function analyse(code: Uint8Array): void {
  const image = codeImage({
    memory: { 4096: Buffer.from(code).toString('hex') },
    variables: [[4096 + 200, 64]],
  });
  const expression = analyseTest(image, set, 4096);
  expect(checkExpression(JSON.parse(JSON.stringify(expression)))).toEqual(expression);
}

test('random bytes as code end in bounded steps and never throw', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 300 }), (code) => analyse(code)),
    { numRuns: 1500 },
  );
});

test('real code with random changes ends in bounded steps and never throws', () => {
  const codes = testSpecimens.map(({ memory, at }) => Uint8Array.from(Buffer.from(memory[at] ?? '', 'hex')));
  const changes = fc.array(fc.tuple(fc.nat(255), fc.nat(255)), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(fc.constantFrom(...codes), changes, fc.uint8Array({ maxLength: 64 }), (code, edits, tail) => {
      const changed = Uint8Array.from([...code, ...tail]);
      for (const [at, byte] of edits) changed[at % changed.length] = byte;
      analyse(changed);
    }),
    { numRuns: 1500 },
  );
});
