/** Prints, as JSON, what the steps of `file-system-suite.ts` give on the machine's file system, in the directory given. */
import { NodeFileSystem } from '../../src/env/node-file-system.ts'
import { fileSystemSteps } from './file-system-suite.ts'

console.log(JSON.stringify(fileSystemSteps(new NodeFileSystem(), process.argv[2] ?? '')))
