/* pull_int.h: a pull as its steps see it. pull.c: the order of things; pull_bring.c: what is to be brought, and bringing it;
 * pull_make.c: making the program out of it. */
#ifndef WICK_APP_PULL_INT_H
#define WICK_APP_PULL_INT_H

#include "fetch.h"
#include "hub_listing.h"
#include "progress.h"
#include "pull.h"
#include "pull_source.h"
#include "pull_work.h"

/* One file to bring into the work folder. */
typedef struct pull_item {
    char *from; /* URL, or a path here */
    char *name; /* in the folder: manifest_file_name_valid */
    uint64_t size;
    char sha256[DIGEST_TEXT];
} pull_item;

typedef struct pull_state {
    const pull_request *r;
    const char *endpoint; /* of the hub, without a '/' at the end; borrowed from `endpoint_text` */
    char *endpoint_text, *recipe;
    pull_source source;
    store_model old; /* what has the name now; name NULL: nothing */
    fetch *fetch;
    pull_work work;
    pull_item *items;
    size_t n_items, cap_items;
    char *checkpoint; /* to be exported: a path here or in the work folder; NULL: the first item is a program, or it is not known yet */
    char *revision;   /* commit of the repository; NULL: none */
    bool unchanged, exporting; /* exporting: everything has come */
    app_progress progress;
    double done, total; /* bytes of the items before this one, and of all; total 0: unknown */
} pull_state;

/* Is what is asked for what the model of this name was made by: the same source, exported the same way? */
bool pull_same_wish(const pull_state *p);
/* Finds out what there is: fills items, checkpoint, revision; or says that nothing has changed. */
wick_status pull_plan(pull_state *p, wick_error *err);
/* Brings all items. */
wick_status pull_bring(pull_state *p, wick_error *err);
/* Makes and examines the program, tidies up, and fills the manifest. */
wick_status pull_make(pull_state *p, wick_error *err);

/* A program cannot be exported in another way any more. */
wick_status pull_refuse_overrides(const pull_state *p, wick_error *err);
/* "NAME.pte", to be freed. */
char *pull_program_name(const pull_state *p);
wick_status pull_sniff(const char *path, bool *program, wick_error *err);

#endif
