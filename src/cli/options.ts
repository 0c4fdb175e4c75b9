import { Option } from '@commander-js/extra-typings';

/** Options that mean the same in every command. */
export const jsonOption = () => new Option('--json', 'print JSON');
export const strictOption = () => new Option('--strict', 'stop at the first problem of severity error');
