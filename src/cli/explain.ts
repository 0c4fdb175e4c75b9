import { Command } from '@commander-js/extra-typings';
import { readExplanations } from '../node/explanations.ts';
import { type Explanation, explainFeatures, explainMessages, nearCodes } from '../ops/explain.ts';
import { explanationTable, explanationText } from '../render/explain-text.ts';
import { jsonOption } from './options.ts';
import { EXIT_TROUBLE, Output, say, styleFor, toJson } from './output.ts';

export const explainCommand = new Command('explain')
  .description(
    'what a finding of check or compat, a problem in a stream, or an error message of QEMU or libvirt means',
  )
  .argument('[code...]', 'a code, or what QEMU or libvirt printed, whole or in part; all codes without it')
  .addOption(jsonOption())
  .addHelpText(
    'after',
    `
Examples:
  vmwalk explain
  vmwalk explain pci-config
  vmwalk explain 'Missing section footer for 0000:00:03.0/virtio-net'
  vmwalk explain "$(tail -n 5 /var/log/libvirt/qemu/guest.log)"
  vmwalk explain --json uuid | jq -r '.[0].text'`,
  )
  .action(async (words, { json }) => {
    const all = await readExplanations();
    const wanted = words.join(' ');
    const named = all.filter(({ code }) => code === wanted);
    const isCode = words.length === 0 || named.length > 0;
    const matched = isCode ? undefined : explainMessages(all, wanted);
    const found = matched?.pages ?? (words.length === 0 ? all : named);
    // Of several that have a message, the best; of all that there are, none.
    const shown = words.length === 0 ? [] : matched ? found.slice(0, 1) : found;
    const others = found.slice(shown.length);
    const output = new Output();
    const style = styleFor(process.stdout);
    if (found.length === 0) {
      say(nothingFound(all, wanted));
      process.exitCode = EXIT_TROUBLE;
    }
    if (matched?.isGuess) say('no page has that message; by its words these are the nearest');
    if (json) {
      await output.line(toJson(found));
    } else {
      for (const line of explainFeatures(wanted)) await output.row(line);
      for (const [i, explanation] of shown.entries()) {
        if (i > 0) await output.line('');
        for (const line of explanationText(explanation, style)) await output.row(line);
      }
      if (shown.length > 0 && others.length > 0) await output.line('\nThese have such a message too:');
      for (const line of explanationTable(others, style)) await output.row(line);
    }
    await output.flush();
  });

function nothingFound(all: readonly Explanation[], wanted: string): string {
  if (/\s/.test(wanted.trim()))
    return 'no page has a message like that; where QEMU printed several lines, the first says most';
  const near = nearCodes(
    all.map(({ code }) => code),
    wanted,
  );
  const advice = near.length > 0 ? `did you mean ${near.join(' or ')}?` : 'vmwalk explain lists all';
  return `no code is called ${wanted}; ${advice}`;
}
