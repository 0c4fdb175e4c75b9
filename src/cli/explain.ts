import { Command } from '@commander-js/extra-typings';
import { readExplanations } from '../node/explanations.ts';
import { explain } from '../ops/explain.ts';
import { explainText } from '../render/explain-text.ts';
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
    const wanted = words.join(' ');
    const explained = explain(await readExplanations(), words.length === 0 ? undefined : wanted);
    if (explained.by === 'nothing') {
      say(nothingFound(wanted, explained.near));
      process.exitCode = EXIT_TROUBLE;
    }
    if (explained.by === 'words') say('no page has that message; by its words these are the nearest');
    const output = new Output();
    if (json) await output.line(toJson(explained.pages));
    else for (const line of explainText(explained, styleFor(process.stdout))) await output.row(line);
    await output.flush();
  });

function nothingFound(wanted: string, near: readonly string[]): string {
  if (/\s/.test(wanted.trim()))
    return 'no page has a message like that; where QEMU printed several lines, the first says most';
  const advice = near.length > 0 ? `did you mean ${near.join(' or ')}?` : 'vmwalk explain lists all';
  return `no code is called ${wanted}; ${advice}`;
}
