/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of a mailbox, alike on both engines.
 *
 *   mailbox ─┬─ folder ─┬─ message ─┬─ attachment ── message (embedded: parent, parent_num)
 *            │          │           └─ value  (values over a few KB, in chunks; num -1: the message's own)
 *            │          └─ tombstone (what left the folder, for synchronisation)
 *            ├─ search ── search_scope, result (links to messages)
 *            └─ named, rule, rule_sender, receive, replica
 *
 * Every key begins with `mb`, the mailbox within the database; in SQLite, where a mailbox has its own file, it is 1.
 * Ids are counters (the 48 bits inside of a wire id), times FILETIMEs, 0 where there is none.  A message's `id` never
 * changes and names its attachments and values; its `mid` changes when it is moved.  `props` is a bag (bag.h) and has
 * the truth about every property that a client sets; the columns that repeat some of them are for SQL, and columns
 * that no bag has (computed.def) are the truth themselves. */
#include "store/internal.h"

static const char tables[] =
    "CREATE TABLE mailbox("
    "  mb BIGINT NOT NULL PRIMARY KEY,"
    "  guid BYTEA NOT NULL UNIQUE,"
    "  replica BYTEA NOT NULL,"  /* ReplGuid: of the ids and of the named properties */
    "  counter BIGINT NOT NULL," /* the next FID, MID or CN; never goes back */
    "  display_name TEXT NOT NULL,"
    "  legacy_dn TEXT NOT NULL,"
    "  smtp TEXT NOT NULL,"
    "  created BIGINT NOT NULL,"
    "  size BIGINT NOT NULL DEFAULT 0,"   /* of all folders: their size and associated_size */
    "  warned BIGINT NOT NULL DEFAULT 0," /* when its owner was told that it is large */
    "  is_public BIGINT NOT NULL," /* of public folders, which nobody owns */
    "  props BYTEA NOT NULL);"

    "CREATE TABLE folder("
    "  mb BIGINT NOT NULL,"
    "  fid BIGINT NOT NULL,"
    "  parent BIGINT NOT NULL," /* 0: the root */
    "  type BIGINT NOT NULL,"
    "  cn BIGINT NOT NULL,"              /* changes with its own properties, not with its content */
    "  total BIGINT NOT NULL DEFAULT 0," /* live messages */
    "  unread BIGINT NOT NULL DEFAULT 0,"
    "  associated BIGINT NOT NULL DEFAULT 0,"
    "  subfolders BIGINT NOT NULL DEFAULT 0,"    /* live ones */
    "  deleted_total BIGINT NOT NULL DEFAULT 0," /* PidTagDeletedCountTotal: what ever left it */
    "  size BIGINT NOT NULL DEFAULT 0,"          /* bytes of the live messages */
    "  associated_size BIGINT NOT NULL DEFAULT 0,"
    "  content_time BIGINT NOT NULL,"           /* PidTagLocalCommitTimeMax */
    "  hierarchy_cn BIGINT NOT NULL DEFAULT 0," /* PidTagHierarchyChangeNumber: changes among its subfolders */
    "  hierarchy_time BIGINT NOT NULL,"         /* PidTagHierRev */
    "  modified BIGINT NOT NULL,"
    "  created BIGINT NOT NULL,"
    "  committed BIGINT NOT NULL,"
    "  deleted BIGINT," /* when it was deleted softly; NULL: live */
    "  hidden BIGINT NOT NULL DEFAULT 0,"
    "  has_rules BIGINT NOT NULL DEFAULT 0," /* standard ones */
    "  name TEXT NOT NULL,"
    "  name_key BYTEA NOT NULL," /* the name, case folded */
    "  comment TEXT NOT NULL,"
    "  class TEXT NOT NULL,"
    "  change_key BYTEA," /* NULL: the server's own, of cn */
    "  pcl BYTEA,"        /* what others have contributed; NULL: nothing */
    "  source_key BYTEA," /* NULL: the server's own, of fid */
    "  props BYTEA NOT NULL,"
    "  PRIMARY KEY (mb, fid)) /*sqlite WITHOUT ROWID*/;"
    "CREATE UNIQUE INDEX folder_name ON folder(mb, parent, name_key) WHERE deleted IS NULL;"
    "CREATE INDEX folder_parent ON folder(mb, parent, fid);"
    "CREATE INDEX folder_change ON folder(mb, cn);"
    "CREATE INDEX folder_source ON folder(mb, source_key) WHERE source_key IS NOT NULL;"

    "CREATE TABLE message("
    "  mb BIGINT NOT NULL,"
    "  id /*sqlite INTEGER PRIMARY KEY*/ /*postgres BIGINT NOT NULL*/,"
    "  mid BIGINT NOT NULL," /* an embedded message's is its id */
    "  fid BIGINT NOT NULL," /* 0: embedded */
    "  parent BIGINT,"       /* embedded: id of the message around it, */
    "  parent_num BIGINT,"   /* and the attachment that holds it */
    "  associated BIGINT NOT NULL,"
    "  cn BIGINT NOT NULL,"
    "  is_read BIGINT NOT NULL,"
    "  read_cn BIGINT," /* of the last change of is_read alone */
    "  deleted BIGINT," /* when it was deleted softly; NULL: live */
    "  delivery_time BIGINT NOT NULL,"
    "  submit_time BIGINT NOT NULL,"
    "  modified BIGINT NOT NULL,"
    "  created BIGINT NOT NULL,"
    "  committed BIGINT NOT NULL,"
    "  size BIGINT NOT NULL,"
    "  flags BIGINT NOT NULL," /* PidTagMessageFlags without those of other columns */
    "  status BIGINT NOT NULL,"
    "  importance BIGINT NOT NULL,"
    "  sensitivity BIGINT NOT NULL,"
    "  has_attach BIGINT NOT NULL,"
    "  attach_next BIGINT NOT NULL," /* number of the next attachment */
    "  class TEXT NOT NULL,"
    "  prefix TEXT NOT NULL,"
    "  subject TEXT NOT NULL," /* PidTagNormalizedSubject */
    "  sender TEXT NOT NULL,"  /* PidTagSentRepresentingName, else PidTagSenderName */
    "  display_to TEXT NOT NULL,"
    "  display_cc TEXT NOT NULL,"
    "  display_bcc TEXT NOT NULL,"
    "  change_key BYTEA,"
    "  pcl BYTEA,"
    "  source_key BYTEA,"
    "  props BYTEA NOT NULL,"
    "  recipients BYTEA NOT NULL" /* last, so that a page of rows does not read it */
    "  /*postgres , PRIMARY KEY (mb, id)*/);"
    "/*postgres ALTER TABLE message ALTER props SET STORAGE EXTERNAL, ALTER recipients SET STORAGE EXTERNAL;*/"
    /* The pages of a folder (table_index.c); NULLs order differently in the engines, so the times have none.  `deleted`
     * stands there so that positions are counted in the index alone. */
    "CREATE INDEX message_page ON message(mb, fid, associated, delivery_time, mid, deleted) WHERE deleted IS NULL;"
    "CREATE INDEX message_sent ON message(mb, fid, associated, submit_time, mid, deleted) WHERE deleted IS NULL;"
    "CREATE INDEX message_change ON message(mb, fid, associated, cn, mid);"
    "CREATE UNIQUE INDEX message_mid ON message(mb, mid);"
    "CREATE INDEX message_source ON message(mb, source_key) WHERE source_key IS NOT NULL;"
    "CREATE INDEX message_read ON message(mb, fid, read_cn, mid) WHERE read_cn IS NOT NULL;"
    "CREATE INDEX message_deleted ON message(mb, fid, deleted) WHERE deleted IS NOT NULL;"
    "CREATE INDEX message_embedded ON message(mb, parent, parent_num) WHERE parent IS NOT NULL;"

    "CREATE TABLE attachment("
    "  mb BIGINT NOT NULL,"
    "  id BIGINT NOT NULL,"
    "  num BIGINT NOT NULL,"
    "  size BIGINT NOT NULL,"
    "  props BYTEA NOT NULL,"
    "  PRIMARY KEY (mb, id, num)) /*sqlite WITHOUT ROWID*/;"
    "/*postgres ALTER TABLE attachment ALTER props SET STORAGE EXTERNAL;*/"

    "CREATE TABLE value("
    "  mb BIGINT NOT NULL,"
    "  id BIGINT NOT NULL,"
    "  num BIGINT NOT NULL," /* -1: the message's own */
    "  tag BIGINT NOT NULL,"
    "  version BIGINT NOT NULL," /* counter of the save that wrote it; the bag names it too */
    "  chunk BIGINT NOT NULL,"
    "  data BYTEA NOT NULL,"
    "  PRIMARY KEY (mb, id, num, tag, version, chunk));"
    "/*postgres ALTER TABLE value ALTER data SET STORAGE EXTERNAL;*/"

    /* kind: enum tombstone.  Of a folder, `fid` is its parent and `mid` the folder itself. */
    "CREATE TABLE tombstone("
    "  mb BIGINT NOT NULL,"
    "  fid BIGINT NOT NULL,"
    "  cn BIGINT NOT NULL,"
    "  mid BIGINT NOT NULL,"
    "  kind BIGINT NOT NULL,"
    "  source_key BYTEA," /* of what was not made here */
    "  PRIMARY KEY (mb, fid, cn, mid)) /*sqlite WITHOUT ROWID*/;"
    "CREATE INDEX tombstone_mid ON tombstone(mb, mid);"
    "CREATE INDEX tombstone_source ON tombstone(mb, source_key) WHERE source_key IS NOT NULL;"

    /* Ids that clients may give to what they make, and those of them that they will not use in a folder. */
    "CREATE TABLE reserved("
    "  mb BIGINT NOT NULL,"
    "  low BIGINT NOT NULL,"
    "  high BIGINT NOT NULL,"
    "  PRIMARY KEY (mb, low)) /*sqlite WITHOUT ROWID*/;"
    "CREATE TABLE unused("
    "  mb BIGINT NOT NULL,"
    "  fid BIGINT NOT NULL,"
    "  low BIGINT NOT NULL,"
    "  high BIGINT NOT NULL,"
    "  PRIMARY KEY (mb, fid, low)) /*sqlite WITHOUT ROWID*/;"

    "CREATE TABLE named("
    "  mb BIGINT NOT NULL,"
    "  id BIGINT NOT NULL,"
    "  guid BYTEA NOT NULL,"
    "  kind BIGINT NOT NULL,"
    "  lid BIGINT NOT NULL,"
    "  name TEXT NOT NULL,"
    "  name_key BYTEA NOT NULL,"
    "  PRIMARY KEY (mb, id)) /*sqlite WITHOUT ROWID*/;"
    "CREATE UNIQUE INDEX named_name ON named(mb, guid, kind, lid, name_key);"

    /* Standard rules, and who has had an out-of-office reply of a rule (standard, or a message that is one). */
    "CREATE TABLE rule("
    "  mb BIGINT NOT NULL,"
    "  fid BIGINT NOT NULL,"
    "  id BIGINT NOT NULL," /* counter of PidTagRuleId */
    "  props BYTEA NOT NULL,"
    "  PRIMARY KEY (mb, fid, id)) /*sqlite WITHOUT ROWID*/;"
    "CREATE TABLE rule_sender("
    "  mb BIGINT NOT NULL,"
    "  rule BIGINT NOT NULL,"
    "  sender BYTEA NOT NULL," /* SMTP address, case folded */
    "  PRIMARY KEY (mb, rule, sender)) /*sqlite WITHOUT ROWID*/;"

    "CREATE TABLE receive("
    "  mb BIGINT NOT NULL,"
    "  class_key BYTEA NOT NULL," /* lower case */
    "  class TEXT NOT NULL,"
    "  fid BIGINT NOT NULL,"
    "  modified BIGINT NOT NULL,"
    "  PRIMARY KEY (mb, class_key)) /*sqlite WITHOUT ROWID*/;"

    /* What a search folder searches for: [MS-OXCFOLD] 3.2.5.4 (search.h) */
    "CREATE TABLE search("
    "  mb BIGINT NOT NULL,"
    "  fid BIGINT NOT NULL,"
    "  restriction BYTEA NOT NULL,"
    "  flags BIGINT NOT NULL,"
    "  populating BIGINT NOT NULL," /* the end has not been announced yet */
    "  PRIMARY KEY (mb, fid)) /*sqlite WITHOUT ROWID*/;"

    "CREATE TABLE search_scope("
    "  mb BIGINT NOT NULL,"
    "  search BIGINT NOT NULL,"
    "  fid BIGINT NOT NULL,"   /* a folder whose messages are searched */
    "  given BIGINT NOT NULL," /* named by the client; 0: it lies below such a one */
    "  todo BIGINT NOT NULL,"  /* enum search_todo, from the position on that follows */
    "  at_time BIGINT NOT NULL,"
    "  at_mid BIGINT NOT NULL,"
    "  PRIMARY KEY (mb, search, fid)) /*sqlite WITHOUT ROWID*/;"
    "CREATE INDEX search_scope_folder ON search_scope(mb, fid);"
    "CREATE INDEX search_scope_todo ON search_scope(mb, search, fid) WHERE todo > 0;"

    /* The messages in a search folder, with what its pages are sorted by (table_index.c). */
    "CREATE TABLE result("
    "  mb BIGINT NOT NULL,"
    "  search BIGINT NOT NULL,"
    "  message BIGINT NOT NULL," /* its mid */
    "  delivered BIGINT NOT NULL,"
    "  sent BIGINT NOT NULL,"
    "  unread BIGINT NOT NULL,"
    "  PRIMARY KEY (mb, search, message)) /*sqlite WITHOUT ROWID*/;"
    "CREATE INDEX result_page ON result(mb, search, delivered, message);"
    "CREATE INDEX result_sent ON result(mb, search, sent, message);"
    "CREATE INDEX result_message ON result(mb, message);"

    /* [MS-OXCSTOR] 3.2.1: of a public folder (GUID and counter), which changes this user has read */
    "CREATE TABLE per_user("
    "  mb BIGINT NOT NULL,"
    "  folder BYTEA NOT NULL,"
    "  replica BYTEA NOT NULL," /* the database that has said so */
    "  data BYTEA NOT NULL,"    /* IDSET of change numbers */
    "  modified BIGINT NOT NULL,"
    "  PRIMARY KEY (mb, folder)) /*sqlite WITHOUT ROWID*/;"

    /* [MS-OXCPERM] 2.2.5: id 0 is everybody else, -1 nobody, others are taken from the counter. */
    "CREATE TABLE permission("
    "  mb BIGINT NOT NULL,"
    "  fid BIGINT NOT NULL,"
    "  id BIGINT NOT NULL,"
    "  member TEXT NOT NULL,"                     /* the legacy DN, case folded; '' for the two */
    "  dn TEXT NOT NULL,"
    "  name TEXT NOT NULL,"                       /* as it was when the entry was made */
    "  rights BIGINT NOT NULL,"
    "  PRIMARY KEY (mb, fid, id)) /*sqlite WITHOUT ROWID*/;"
    "CREATE UNIQUE INDEX permission_member ON permission(mb, member, fid) WHERE id > 0;"

    /* What somebody has read in a public folder, as change numbers (seen.c). */
    "CREATE TABLE seen("
    "  mb BIGINT NOT NULL,"
    "  member TEXT NOT NULL,"                     /* the legacy DN, case folded */
    "  fid BIGINT NOT NULL,"
    "  cns BYTEA NOT NULL,"
    "  PRIMARY KEY (mb, member, fid)) /*sqlite WITHOUT ROWID*/;"
    "CREATE INDEX seen_folder ON seen(mb, fid);"

    "CREATE TABLE replica("
    "  mb BIGINT NOT NULL,"
    "  replid BIGINT NOT NULL,"
    "  guid BYTEA NOT NULL,"
    "  PRIMARY KEY (mb, replid)) /*sqlite WITHOUT ROWID*/;"
    "CREATE UNIQUE INDEX replica_guid ON replica(mb, guid);";

static const struct sql_schema_step steps[] = {
    { "mailboxes, folders and messages", tables },
};

enum ec store_schema(struct sql *db)
{
    return sql_schema(db, steps, COUNTOF(steps), "store");
}
