// Package fill puts a database into the state in which years of use leave it: many sagas, most of them ended, some of them waiting, over
// several weekly partitions. A few dozen sagas are decided by the real domain and written by the real store; all others are copies of
// them under ids, keys, labels, names and times of their own, each instance written by the real encoder, sent with COPY.
//
// What makes a list slow is in it on purpose: sagas that are rare, and sagas that wait and are old.
package fill
