import { jemallocCode } from './jemalloc/index.ts';
import * as jemalloc from './jemalloc/model.ts';
import { glibcCode } from './ptmalloc/index.ts';
import * as glibc from './ptmalloc/model.ts';
import { zend5Code, zendCode } from './zend/index.ts';
import * as zend from './zend/model.ts';
import * as zend5 from './zend5/zend5.ts';

/** Imported by whoever creates models without waiting for `loadModel`: it loads the code of all of them. */
glibcCode.put(glibc);
jemallocCode.put(jemalloc);
zendCode.put(zend);
zend5Code.put(zend5);
