"""Who may do what: every address, method and role against one table, and foreign objects beside it.

The table is the specification. A route without a row fails; so does a method that answers without
being in it. `yes`: the role gets through to the action (an empty form may still be refused there).
`no`: 403, the role is told that it does not suffice. `404`: as if it were not there. `in`: sign in
first. Every GET runs in a read-only transaction, so one that writes anything fails.
"""

import uuid
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.db import InternalError, connection, transaction
from django.test import Client
from django.urls import get_resolver, reverse
from django.urls.resolvers import URLResolver

from annotator import jobs
from annotator.actions.desk import assigning, labeling
from annotator.actions.exports import exporting
from annotator.actions.imports import media
from annotator.actions.projects import people, tokens
from annotator.actions.simulations.simulations import Wish
from annotator.actions.students import predictions, training
from annotator.actions.teachers import teachers
from annotator.actions.webhooks import webhooks
from annotator.api import throttles
from annotator.models import (
    BakeOff,
    BatchState,
    Delivery,
    Endpoint,
    Flag,
    FormQuestion,
    GoldItem,
    ImportBatch,
    Item,
    PredictedFile,
    Project,
    Recording,
    Role,
    Seeding,
    Simulation,
    Snapshot,
    SnapshotState,
    StudentState,
    StudentVersion,
    TeacherRun,
    WebhookHost,
)
from tests.annotator.web.helpers import draw, encode
from tests.factories import join, make_items, make_project, make_user

ROLES = ("owner", "manager", "reviewer", "annotator", "viewer", "stranger", "nobody")

TABLE = """
route                  method  owner manager reviewer annotator viewer stranger nobody

api_whoami             GET     yes   yes     yes      yes       yes    yes      in
api_tokens             GET     yes   yes     yes      yes       yes    yes      in
api_tokens             POST    yes   yes     yes      yes       yes    yes      in
api_token              DELETE  yes   404     404      404       404    404      in
api_schema             GET     yes   yes     yes      yes       yes    yes      in
api_docs               GET     yes   yes     yes      yes       yes    yes      in
api_invitation_accept  POST    yes   yes     yes      yes       yes    yes      in

api_projects           GET     yes   yes     yes      yes       yes    yes      in
api_projects           POST    yes   yes     yes      yes       yes    yes      in
api_project            GET     yes   yes     yes      yes       yes    404      in
api_project            PATCH   yes   yes     no       no        no     404      in
api_project            DELETE  yes   no      no       no        no     404      in
api_project_copies     POST    yes   yes     no       no        no     404      in
api_project_restore    POST    404   404     404      404       404    404      in

api_labels             GET     yes   yes     yes      yes       yes    404      in
api_labels             POST    yes   yes     no       no        no     404      in
api_codebook           GET     yes   yes     no       no        no     404      in
api_labels_order       PUT     yes   yes     no       no        no     404      in
api_label              PATCH   yes   yes     no       no        no     404      in
api_label_words        GET     yes   yes     no       no        no     404      in
api_label_words        POST    yes   yes     no       no        no     404      in
api_label_words        PUT     yes   yes     no       no        no     404      in
api_form_questions     GET     yes   yes     yes      yes       yes    404      in
api_form_questions     POST    yes   yes     no       no        no     404      in
api_form_question      PATCH   yes   yes     no       no        no     404      in
api_form_question      DELETE  yes   yes     no       no        no     404      in
api_label_archive      POST    yes   yes     no       no        no     404      in
api_label_restore      POST    yes   yes     no       no        no     404      in

api_members            GET     yes   yes     yes      no        yes    404      in
api_member             PATCH   yes   yes     no       no        no     404      in
api_member             DELETE  yes   yes     no       no        no     404      in
api_member_admit       POST    yes   yes     no       no        no     404      in
api_gold               GET     yes   yes     no       no        no     404      in
api_gold               POST    yes   yes     no       no        no     404      in
api_gold_item          DELETE  yes   yes     no       no        no     404      in
api_alarms             GET     yes   yes     yes      no        no     404      in
api_member_reset       POST    yes   no      no       no        no     404      in
api_invitations        GET     yes   yes     no       no        no     404      in
api_invitations        POST    yes   yes     no       no        no     404      in
api_invitation         DELETE  yes   yes     no       no        no     404      in

api_items              GET     yes   yes     yes      no        yes    404      in
api_item               GET     yes   yes     yes      404       yes    404      in
api_item_similar       GET     yes   yes     yes      no        yes    404      in
api_map                GET     yes   yes     yes      no        yes    404      in
api_map                POST    yes   yes     yes      no        yes    404      in
api_map_points         GET     yes   yes     yes      no        yes    404      in
api_annotations        GET     yes   yes     yes      yes       yes    404      in
api_annotation         GET     yes   yes     yes      yes       yes    404      in
api_verdicts           GET     yes   yes     yes      no        yes    404      in

api_next               POST    yes   yes     yes      yes       no     404      in
api_answers            POST    yes   yes     yes      yes       no     404      in
api_leases             GET     yes   yes     yes      yes       no     404      in
api_leases_renew       POST    yes   yes     yes      yes       no     404      in
api_leases_release     POST    yes   yes     yes      yes       no     404      in

api_flags              GET     yes   yes     yes      no        no     404      in
api_flags              POST    yes   yes     yes      yes       no     404      in
api_flags_settle       POST    yes   yes     yes      no        no     404      in
api_review             GET     yes   yes     yes      no        no     404      in
api_review             POST    yes   yes     yes      no        no     404      in
api_flags_look         POST    yes   yes     yes      no        no     404      in
api_review_next        POST    yes   yes     yes      no        no     404      in
api_review_unsure      POST    yes   yes     yes      no        no     404      in
api_review_undo        POST    yes   yes     yes      no        no     404      in
api_review_figures     GET     yes   yes     yes      no        no     404      in
api_corrections        GET     yes   yes     yes      no        no     404      in
api_corrections        POST    yes   yes     yes      no        no     404      in
api_bulk               POST    yes   yes     yes      no        no     404      in
api_bulk_preview       POST    yes   yes     yes      no        no     404      in
api_bulk_undo          POST    yes   no      no       no        no     404      in
api_seedings           GET     yes   yes     yes      no        yes    404      in
api_seedings           POST    yes   yes     no       no        no     404      in
api_seeding            DELETE  yes   yes     no       no        no     404      in
api_spots              GET     yes   yes     yes      no        yes    404      in
api_spots              POST    yes   yes     yes      no        no     404      in
api_spots_step         DELETE  yes   yes     yes      no        no     404      in

api_imports            GET     yes   yes     no       no        no     404      in
api_imports            POST    yes   yes     no       no        no     404      in
api_import             GET     yes   yes     no       no        no     404      in
api_import_preview     POST    404   404     no       no        no     404      in
api_import_start       POST    404   404     no       no        no     404      in
api_import_decide      POST    yes   yes     no       no        no     404      in
api_import_discard     POST    yes   yes     no       no        no     404      in
api_import_undo        POST    yes   yes     no       no        no     404      in

api_jobs               GET     yes   yes     yes      no        yes    404      in
api_job                GET     yes   yes     yes      404       yes    404      in
api_job_cancel         POST    yes   yes     no       404       no     404      in
api_students           GET     yes   yes     yes      no        yes    404      in
api_student            GET     yes   yes     yes      no        yes    404      in
api_student_promote    POST    yes   yes     no       no        no     404      in
api_student_download   GET     yes   yes     no       no        no     404      in
api_predictions        GET     yes   yes     no       no        no     404      in
api_predictions        POST    yes   yes     no       no        no     404      in
api_prediction         GET     yes   yes     no       no        no     404      in
api_prediction_download GET     yes   yes     no       no        no     404      in
api_bakeoffs           GET     yes   yes     no       no        no     404      in
api_bakeoffs           POST    yes   yes     no       no        no     404      in
api_bakeoff            GET     yes   yes     no       no        no     404      in
api_bakeoff_use        POST    yes   yes     no       no        no     404      in
api_students_unpin     POST    yes   yes     no       no        no     404      in
api_students_finetune  POST    yes   yes     no       no        no     404      in
api_warm_start         GET     yes   yes     no       no        no     404      in
api_warm_start         PUT     yes   yes     no       no        no     404      in
api_warm_start         DELETE  yes   yes     no       no        no     404      in
api_warm_start_sources GET     yes   yes     no       no        no     404      in
api_students_background GET    yes   yes     yes      no        yes    404      in
api_students_background PATCH  yes   yes     no       no        no     404      in
api_students_compare   GET     yes   yes     yes      no        yes    404      in
api_students_decisions GET     yes   yes     yes      no        yes    404      in
api_student            DELETE  yes   yes     no       no        no     404      in
api_student_figures    GET     yes   yes     yes      no        yes    404      in
api_explain            POST    yes   yes     yes      no        yes    404      in
api_predict            POST    yes   yes     yes      no        yes    404      in
api_progress           GET     yes   yes     yes      no        yes    404      in
api_costs              GET     yes   yes     yes      no        yes    404      in
api_estimates          GET     yes   yes     yes      no        yes    404      in
api_domains            GET     yes   yes     yes      no        yes    404      in
api_domains            POST    yes   yes     no       no        no     404      in
api_snapshots          GET     yes   yes     no       no        no     404      in
api_snapshots          POST    yes   yes     no       no        no     404      in
api_snapshot           GET     yes   yes     no       no        no     404      in
api_snapshot_download  GET     yes   yes     no       no        no     404      in
api_simulations        GET     yes   yes     no       no        no     404      in
api_simulations        POST    yes   yes     no       no        no     404      in
api_simulation         GET     yes   yes     no       no        no     404      in
api_simulation_cancel  POST    yes   yes     no       no        no     404      in
api_simulation_apply   POST    yes   yes     no       no        no     404      in
api_strategy_changes   GET     yes   yes     no       no        no     404      in
api_strategy_back      POST    yes   yes     no       no        no     404      in

api_webhook_hosts      GET     yes   yes     no       no        no     no       in
api_webhook_hosts      POST    no    no      no       no        no     no       in
api_webhook_host       DELETE  no    no      no       no        no     no       in
api_webhooks           GET     yes   yes     no       no        no     404      in
api_webhooks           POST    yes   yes     no       no        no     404      in
api_webhook            GET     yes   yes     no       no        no     404      in
api_webhook            PATCH   yes   yes     no       no        no     404      in
api_webhook            DELETE  yes   yes     no       no        no     404      in
api_webhook_secret     POST    yes   yes     no       no        no     404      in
api_webhook_test       POST    yes   yes     no       no        no     404      in
api_deliveries         GET     yes   yes     no       no        no     404      in
api_delivery           GET     yes   yes     no       no        no     404      in
api_delivery_again     POST    yes   yes     no       no        no     404      in

api_endpoints          GET     yes   yes     no       no        no     no       in
api_endpoints          POST    no    no      no       no        no     no       in
api_endpoint           PATCH   no    no      no       no        no     no       in
api_endpoint           DELETE  no    no      no       no        no     no       in
api_teachers           GET     yes   yes     yes      no        yes    404      in
api_teachers           POST    yes   yes     no       no        no     404      in
api_teachers_money     GET     yes   yes     yes      no        yes    404      in
api_teachers_money     PATCH   yes   yes     no       no        no     404      in
api_teacher            GET     yes   yes     yes      no        yes    404      in
api_teacher            PATCH   yes   yes     no       no        no     404      in
api_teacher_key        DELETE  yes   yes     no       no        no     404      in
api_teacher_prompts    GET     yes   yes     no       no        no     404      in
api_teacher_prompts    POST    yes   yes     no       no        no     404      in
api_teacher_prompt_compare GET  yes  yes     no       no        no     404      in
api_teacher_prompt_compare POST yes  yes     no       no        no     404      in
api_teacher_prompt_written GET  yes  yes     no       no        no     404      in
api_teacher_prompt_restore POST yes  yes     no       no        no     404      in
api_teacher_try        POST    yes   yes     no       no        no     404      in
api_teacher_estimate   GET     yes   yes     no       no        no     404      in
api_teacher_tests      GET     yes   yes     yes      no        yes    404      in
api_teacher_tests      POST    yes   yes     no       no        no     404      in
api_teacher_test_plan  GET     yes   yes     no       no        no     404      in
api_teacher_replays    GET     yes   yes     yes      no        yes    404      in
api_teacher_replays    POST    yes   yes     no       no        no     404      in
api_teachers_calibrate POST    yes   yes     no       no        no     404      in
api_agreement          GET     yes   yes     yes      no        yes    404      in
api_scorecards         GET     yes   yes     yes      no        yes    404      in
api_scorecard          GET     yes   yes     yes      no        yes    404      in
api_teacher_runs       GET     yes   yes     yes      no        yes    404      in
api_teacher_runs       POST    yes   yes     no       no        no     404      in
api_teacher_run        GET     yes   yes     yes      no        yes    404      in
api_teacher_run_cancel POST    yes   yes     no       no        no     404      in
api_teachers_stop      POST    yes   yes     no       no        no     404      in
api_routing            GET     yes   yes     yes      no        yes    404      in
api_routing            PATCH   yes   yes     no       no        no     404      in
api_routing_changes    GET     yes   yes     yes      no        yes    404      in
api_routing_seed       POST    yes   yes     no       no        no     404      in
api_routing_point      POST    yes   yes     no       no        no     404      in
api_routing_resume     POST    yes   yes     no       no        no     404      in
api_recordings         GET     yes   yes     no       no        no     404      in
api_recordings         POST    yes   yes     no       no        no     404      in
api_recording          GET     yes   yes     no       no        no     404      in
api_recording_preview  POST    yes   yes     no       no        no     404      in
api_recording_start    POST    yes   yes     no       no        no     404      in
api_recording_decide   POST    yes   yes     no       no        no     404      in
api_recording_discard  POST    yes   yes     no       no        no     404      in

health                 GET     yes   yes     yes      yes       yes    yes      yes
home                   GET     yes   yes     yes      yes       yes    yes      in
welcome                GET     yes   yes     yes      yes       yes    yes      in
welcome                POST    yes   yes     yes      yes       yes    yes      in
project                GET     yes   yes     yes      yes       yes    404      in
project_new            GET     yes   yes     yes      yes       yes    yes      in
project_new            POST    yes   yes     yes      yes       yes    yes      in
imports                GET     yes   yes     404      404       404    404      in
imports                POST    yes   yes     404      404       404    404      in
import                 GET     yes   yes     404      404       404    404      in
import                 POST    yes   yes     404      404       404    404      in
import_state           GET     yes   yes     404      404       404    404      in
import_decide          POST    yes   yes     404      404       404    404      in
import_undo            POST    yes   yes     404      404       404    404      in
label                  GET     yes   yes     yes      yes       404    404      in
label_answer           POST    yes   yes     yes      yes       404    404      in
label_renew            POST    yes   yes     yes      yes       404    404      in
label_release          POST    yes   yes     yes      yes       404    404      in
label_mine             GET     yes   yes     yes      yes       404    404      in
label_change           GET     404   404     404      yes       404    404      in
label_change           POST    404   404     404      yes       404    404      in
item_image             GET     yes   yes     yes      yes       yes    404      in
progress               GET     yes   yes     yes      404       yes    404      in
progress_domains       POST    yes   yes     404      404       404    404      in
jobs                   GET     yes   yes     yes      404       yes    404      in
job_cancel             POST    yes   yes     no       404       no     404      in
explore                GET     yes   yes     yes      404       yes    404      in
explore_ids            GET     yes   yes     yes      404       yes    404      in
map                    GET     yes   yes     yes      404       yes    404      in
map_draw               POST    yes   yes     yes      404       yes    404      in
map_state              GET     yes   yes     yes      404       yes    404      in
map_points             GET     yes   yes     yes      404       yes    404      in
map_colours            GET     yes   yes     yes      404       yes    404      in
map_hits               GET     yes   yes     yes      404       yes    404      in
item                   GET     yes   yes     yes      404       yes    404      in
item_glance            GET     yes   yes     yes      404       yes    404      in
similar                GET     yes   yes     yes      404       yes    404      in
bulk_list              GET     yes   yes     yes      404       404    404      in
bulk_preview           POST    yes   yes     yes      404       404    404      in
bulk_start             POST    yes   yes     yes      404       404    404      in
bulk_undo              POST    yes   no      no       404       404    404      in
seeding_ask            POST    yes   yes     404      404       404    404      in
seeding_back           POST    yes   yes     404      404       404    404      in
spots                  GET     yes   yes     yes      404       yes    404      in
spots                  POST    yes   yes     yes      404       404    404      in
spots_back             POST    yes   yes     yes      404       404    404      in
students               GET     yes   yes     yes      404       yes    404      in
students_compare       GET     yes   yes     yes      404       yes    404      in
students_unpin         POST    yes   yes     404      404       404    404      in
students_finetune      POST    yes   yes     404      404       404    404      in
students_start         GET     yes   yes     404      404       404    404      in
students_start         POST    yes   yes     404      404       404    404      in
students_start_withdraw POST   yes   yes     404      404       404    404      in
students_background    GET     yes   yes     404      404       404    404      in
students_background    POST    yes   yes     404      404       404    404      in
students_try           POST    yes   yes     yes      404       yes    404      in
students_explain       POST    yes   yes     yes      404       yes    404      in
student                GET     yes   yes     yes      404       yes    404      in
student_delete         POST    yes   yes     404      404       404    404      in
student_promote        POST    yes   yes     404      404       404    404      in
student_download       GET     yes   yes     404      404       404    404      in
predictions            GET     yes   yes     404      404       404    404      in
predictions            POST    yes   yes     404      404       404    404      in
prediction_download    GET     yes   yes     404      404       404    404      in
encoder                GET     yes   yes     404      404       404    404      in
encoder                POST    yes   yes     404      404       404    404      in
encoder_ranking        GET     yes   yes     404      404       404    404      in
encoder_use            POST    yes   yes     404      404       404    404      in
teachers               GET     yes   yes     yes      404       yes    404      in
teachers_money         POST    yes   yes     404      404       404    404      in
teacher_new            GET     yes   yes     404      404       404    404      in
teacher_new            POST    yes   yes     404      404       404    404      in
teacher                GET     yes   yes     yes      404       yes    404      in
teacher_change         GET     yes   yes     404      404       404    404      in
teacher_change         POST    yes   yes     404      404       404    404      in
teacher_key_withdraw   POST    yes   yes     404      404       404    404      in
teacher_prompt         GET     yes   yes     404      404       404    404      in
teacher_prompt         POST    yes   yes     404      404       404    404      in
teacher_prompt_compare POST    yes   yes     404      404       404    404      in
teacher_prompt_restore POST    yes   yes     404      404       404    404      in
teacher_switch         POST    yes   yes     404      404       404    404      in
teacher_try            POST    yes   yes     404      404       404    404      in
teacher_estimate       GET     yes   yes     404      404       404    404      in
teacher_begin          POST    yes   yes     404      404       404    404      in
teacher_qualify        POST    yes   yes     404      404       404    404      in
teacher_replay         POST    yes   yes     404      404       404    404      in
teacher_run            GET     yes   yes     yes      404       yes    404      in
teacher_run_state      GET     yes   yes     yes      404       yes    404      in
teacher_run_cancel     POST    yes   yes     404      404       404    404      in
routing                GET     yes   yes     yes      404       yes    404      in
routing_policy         POST    yes   yes     404      404       404    404      in
routing_point          POST    yes   yes     404      404       404    404      in
routing_seed           POST    yes   yes     404      404       404    404      in
routing_resume         POST    yes   yes     404      404       404    404      in
routing_stop           POST    yes   yes     404      404       404    404      in
label_words            GET     yes   yes     404      404       404    404      in
label_words            POST    yes   yes     404      404       404    404      in
label_words_ask        POST    yes   yes     404      404       404    404      in
recording_new          GET     yes   yes     404      404       404    404      in
recording_new          POST    yes   yes     404      404       404    404      in
recording              GET     yes   yes     404      404       404    404      in
recording              POST    yes   yes     404      404       404    404      in
recording_state        GET     yes   yes     404      404       404    404      in
recording_decide       POST    yes   yes     404      404       404    404      in
webhook_hosts          GET     no    no      no       no        no     no       in
webhook_hosts          POST    no    no      no       no        no     no       in
webhook_host_withdraw  POST    no    no      no       no        no     no       in
webhooks               GET     yes   yes     404      404       404    404      in
webhooks               POST    yes   yes     404      404       404    404      in
webhook                GET     yes   yes     404      404       404    404      in
webhook                POST    yes   yes     404      404       404    404      in
webhook_state          GET     yes   yes     404      404       404    404      in
webhook_switch         POST    yes   yes     404      404       404    404      in
webhook_secret         POST    yes   yes     404      404       404    404      in
webhook_test           POST    yes   yes     404      404       404    404      in
webhook_remove         POST    yes   yes     404      404       404    404      in
delivery               GET     yes   yes     404      404       404    404      in
delivery_again         POST    yes   yes     404      404       404    404      in
endpoints              GET     no    no      no       no        no     no       in
endpoints              POST    no    no      no       no        no     no       in
endpoint_switch        POST    no    no      no       no        no     no       in
endpoint_delete        POST    no    no      no       no        no     no       in
exports                GET     yes   yes     404      404       404    404      in
exports                POST    yes   yes     404      404       404    404      in
snapshot               GET     yes   yes     404      404       404    404      in
snapshot_download      GET     yes   yes     404      404       404    404      in
review                 GET     yes   yes     yes      404       404    404      in
review_item            GET     yes   yes     yes      404       404    404      in
review_settle          POST    yes   yes     yes      404       404    404      in
review_dismiss         POST    yes   yes     yes      404       404    404      in
review_undo            POST    yes   yes     yes      404       404    404      in
review_unsure          POST    yes   yes     yes      404       404    404      in
review_skip            POST    yes   yes     yes      404       404    404      in
review_report          GET     yes   yes     yes      404       404    404      in
review_look            POST    yes   yes     yes      404       404    404      in
review_corrections     POST    yes   yes     yes      404       404    404      in

join                   GET     yes   yes     yes      yes       yes    yes      yes
join                   POST    yes   yes     yes      yes       yes    yes      yes
reset_password         GET     yes   yes     yes      yes       yes    yes      yes
reset_password         POST    yes   yes     yes      yes       yes    yes      yes
tokens                 GET     yes   yes     yes      yes       yes    yes      in
tokens                 POST    yes   yes     yes      yes       yes    yes      in
token_revoke           POST    yes   404     404      404       404    404      in
deleted                GET     yes   yes     yes      yes       yes    yes      in
annotators             GET     yes   yes     yes      404       yes    404      in
agreement              GET     yes   yes     yes      404       yes    404      in
scorecard              GET     yes   yes     yes      404       yes    404      in
gold                   GET     yes   yes     404      404       404    404      in
gold                   POST    yes   yes     404      404       404    404      in
gold_end               POST    yes   yes     404      404       404    404      in
member_admit           POST    yes   yes     404      404       404    404      in
members                GET     yes   yes     404      404       404    404      in
members                POST    yes   yes     404      404       404    404      in
member                 GET     yes   yes     404      404       404    404      in
member                 POST    yes   yes     404      404       404    404      in
member_remove          POST    yes   yes     404      404       404    404      in
leave                  POST    yes   yes     yes      yes       yes    404      in
member_reset           POST    yes   404     404      404       404    404      in
invitation_revoke      POST    yes   yes     404      404       404    404      in
settings               GET     yes   yes     404      404       404    404      in
settings               POST    yes   yes     404      404       404    404      in
codebook               GET     yes   yes     404      404       404    404      in
labels                 GET     yes   yes     404      404       404    404      in
labels                 POST    yes   yes     404      404       404    404      in
label_edit             GET     yes   yes     404      404       404    404      in
label_edit             POST    yes   yes     404      404       404    404      in
form_questions         GET     yes   yes     404      404       404    404      in
form_questions         POST    yes   yes     404      404       404    404      in
form_question_change   POST    yes   yes     404      404       404    404      in
form_question_move     POST    yes   yes     404      404       404    404      in
form_question_remove   POST    yes   yes     404      404       404    404      in
label_find             GET     yes   yes     yes      yes       yes    404      in
label_move             POST    yes   yes     404      404       404    404      in
label_archive          POST    yes   yes     404      404       404    404      in
label_restore          POST    yes   yes     404      404       404    404      in
guidelines             GET     yes   yes     404      404       404    404      in
guidelines             POST    yes   yes     404      404       404    404      in
guidelines_preview     POST    yes   yes     404      404       404    404      in
strategy               GET     yes   yes     404      404       404    404      in
strategy               POST    yes   yes     404      404       404    404      in
strategy_back          POST    yes   yes     404      404       404    404      in
simulation             GET     yes   yes     404      404       404    404      in
simulation_state       GET     yes   yes     404      404       404    404      in
simulation_cancel      POST    yes   yes     404      404       404    404      in
simulation_use         POST    yes   yes     404      404       404    404      in
danger                 GET     yes   404     404      404       404    404      in
project_delete         POST    yes   404     404      404       404    404      in
project_restore        POST    404   404     404      404       404    404      in
"""

# GETs that write, each with its reason: what they write is the reader's own and runs out by itself
WRITES_ON_GET = {
    "label": "leases the items that the page shows",
    "review": "leases the case that it leads to",
}
# Whole applications with tests of their own; what they may do here is asked below
OTHERS = ("account_", "mfa_", "admin:")
# It answers every method, always with 404
CATCH_ALL = {"api_nothing"}
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


def table():
    rows = [line.split() for line in TABLE.strip().splitlines() if line.strip()]
    assert rows[0] == ["route", "method", *ROLES]
    cells = {(row[0], row[1]): dict(zip(ROLES, row[2:], strict=True)) for row in rows[1:]}
    assert len(cells) == len(rows) - 1, "a row stands twice in the table"
    return cells


def every_route(resolver=None, namespace="", above=frozenset()):
    """(name, names of its arguments) of every address, those of what it lies below included."""
    for pattern in (resolver or get_resolver()).url_patterns:
        wanted = above | set(pattern.pattern.regex.groupindex)
        if isinstance(pattern, URLResolver):
            inner = f"{namespace}{pattern.namespace}:" if pattern.namespace else namespace
            yield from every_route(pattern, inner, wanted)
        else:
            yield f"{namespace}{pattern.name}", wanted


def ours():
    return {
        name: wanted
        for name, wanted in every_route()
        if not name.startswith(OTHERS) and name not in CATCH_ALL
    }


@dataclass
class World:
    """A project with one object of each kind."""

    project: Project
    people: dict[str, Any]
    arguments: dict[str, Any] = field(default_factory=dict)


def make_world(cast, people_by_role) -> World:
    project = make_project(cast)
    make_items(project, 6)
    for role in ("manager", "viewer"):
        join(project, people_by_role[role], Role(role))
    guest = join(project, make_user(f"guest-{project.pk}"), Role.ANNOTATOR)
    for role in ("owner", "manager", "reviewer"):
        if role in people_by_role:
            assigning.voice_of(project, people_by_role[role])
    ana = assigning.voice_of(project, cast.ana)
    lease = assigning.lease(project, ana, 1)[0]
    label = project.labels.get(key="billing")
    said = labeling.submit(
        project, ana, uuid=uuid.uuid4(), assignment_id=lease.pk, labels=[label.pk]
    )
    unmet = Item.objects.filter(project=project).exclude(pk=said.item_id).order_by("number").last()
    batch = ImportBatch.objects.create(
        project=project, file_name="a.csv", stored_name="gone", format="csv", state=BatchState.DONE
    )
    job = jobs.enqueue("bulk", project=project, params={"labels": []}, started_by=cast.lea)
    student = StudentVersion.objects.create(
        project=project, number=1, kind="head", state=StudentState.READY, folder="one"
    )
    files = training.students_folder(project.pk) / student.folder
    files.mkdir(parents=True, exist_ok=True)
    (files / "manifest.json").write_text("{}")
    snapshot = Snapshot.objects.create(
        project=project,
        state=SnapshotState.READY,
        stored_name=f"{project.pk}.zip",
        options=exporting.Options().to_json(),
    )
    exporting.folder().mkdir(exist_ok=True)
    (exporting.folder() / snapshot.stored_name).write_bytes(b"an export")
    labelled = PredictedFile.objects.create(project=project, file_name="a.csv", result_name="1.csv")
    predictions.folder_of(project.pk).mkdir(parents=True, exist_ok=True)
    (predictions.folder_of(project.pk) / labelled.result_name).write_bytes(b"label")
    simulation = Simulation.objects.create(
        project=project, job=job, settings=Wish(strategies=("margin", "random")).to_json()
    )
    teacher = teachers.create_teacher(project, cast.lea, name="Names", plugin="zero-shot")
    teacher_run = TeacherRun.objects.create(project=project, teacher=teacher, numbers=[1])
    recording = Recording.objects.create(
        project=project, file_name="a.csv", stored_name="gone", format="csv", state="done"
    )
    endpoint, _ = Endpoint.objects.get_or_create(
        name="Local", base_url="http://127.0.0.1:1/v1", host="127.0.0.1", port=1
    )
    Flag.objects.create(project=project, item=unmet, raised_by=ana)
    encode(project)
    draw(project)
    host, _ = WebhookHost.objects.get_or_create(host="127.0.0.1", port=1)
    webhook, _ = webhooks.register(
        project, None, name="Ours", url="http://127.0.0.1:1/in", events=["job.failed"]
    )
    invitation, secret = people.invite(project, cast.lea, Role.ANNOTATOR)
    world = World(project=project, people=people_by_role)
    world.arguments = {
        "project_id": project.pk,
        "label_id": label.pk,
        "question_id": FormQuestion.objects.create(project=project, key="why", name="Why").pk,
        "member_id": guest.pk,
        "invitation_id": invitation.pk,
        "item_id": unmet.pk,
        "number": unmet.number,
        "student": student.number,
        "uuid": said.uuid,
        "import_id": batch.pk,
        "job_id": job.pk,
        "student_id": student.pk,
        "snapshot_id": snapshot.pk,
        "simulation_id": simulation.pk,
        "teacher_id": teacher.pk,
        "annotator_id": teacher.voice_id,
        "run_id": teacher_run.pk,
        "recording_id": recording.pk,
        "prediction_id": labelled.pk,
        "bakeoff_id": BakeOff.objects.create(project=project).pk,
        "version": 1,
        "endpoint_id": endpoint.pk,
        "host_id": host.pk,
        "webhook_id": webhook.pk,
        "delivery_id": Delivery.objects.create(webhook=webhook, type="job.failed").pk,
        "seeding_id": Seeding.objects.create(
            project=project, numbers=[unmet.number], label=project.labels.first()
        ).pk,
        "gold_id": GoldItem.objects.create(project=project, item=unmet).pk,
        "group": "all",
        "secret": secret,
        "reset": people.reset_link(guest.user, None),
        "name": media.store_image(project.pk, b"an image of %d" % project.pk, "png"),
    }
    return world


# One argument means another thing on these pages
INSTEAD = {
    "reset_password": {"secret": "reset"},
    "student": {"number": "student"},
    "student_delete": {"number": "student"},
    "student_promote": {"number": "student"},
    "student_download": {"number": "student"},
}
# What a form must bring so that its refusals are about rights and not about the form
FORMS = {"token_revoke": {"key": "prefix"}}


@pytest.fixture
def people_by_role(cast):
    return {
        "owner": cast.lea,
        "manager": make_user("max"),
        "reviewer": cast.ben,
        "annotator": cast.ana,
        "viewer": make_user("vic"),
        "stranger": cast.cleo,
        "nobody": None,
    }


@pytest.fixture
def world(cast, people_by_role):
    made = make_world(cast, people_by_role)
    made.arguments["prefix"] = tokens.create_token(cast.lea)[0].token_key
    return made


@pytest.fixture
def foreign(db):
    """A project of other people in which nobody of the first has a part."""
    from tests.factories import Cast

    others = Cast(*(make_user(f"far-{name}") for name in ("lea", "ana", "ben", "cleo")))
    roles = {"manager": make_user("far-max"), "viewer": make_user("far-vic")}
    made = make_world(others, roles)
    made.arguments["prefix"] = tokens.create_token(others.lea)[0].token_key
    return made


def clients(people_by_role):
    found = {}
    for role, person in people_by_role.items():
        found[role] = Client()
        if person is not None:
            found[role].force_login(person)
    return found


def address(name, wanted, arguments):
    missing = wanted - set(arguments)
    assert not missing, f"{name}: tell the test what {', '.join(missing)} is (make_world)"
    renamed = INSTEAD.get(name, {})
    return reverse(name, kwargs={key: arguments[renamed.get(key, key)] for key in wanted})


def ask(client, method, url, form=None):
    """One request whose effects are undone; a GET in a read-only transaction."""
    is_api = url.startswith("/api/")
    options = {"content_type": "application/json"} if is_api and method != "GET" else {}
    with transaction.atomic():
        if method == "GET":
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION READ ONLY")
        answer = getattr(client, method.lower())(url, form or {}, **options)
        transaction.set_rollback(True)
    return answer


def mark(answer):
    """What an answer means, in the words of the table."""
    if answer.streaming:
        b"".join(answer.streaming_content)  # read to its end, which closes the file
    location = answer.get("Location", "")
    if answer.status_code == 401 or (
        answer.status_code == 302 and location.startswith("/accounts/login")
    ):
        return "in"
    if answer.status_code in {403, 404, 405}:
        return {403: "no", 404: "404", 405: "405"}[answer.status_code]
    return "yes" if answer.status_code < 500 else "defect"


def test_every_route_has_a_row():
    """A new page or endpoint says here who may use it."""
    told = {route for route, _ in table()}
    missing = sorted(set(ours()) - told)
    assert not missing, (
        "Add a row to TABLE for each of these routes, with what every role may do: "
        + ", ".join(missing)
    )
    gone = sorted(told - set(ours()))
    assert not gone, f"These rows of TABLE have no route any more: {', '.join(gone)}"


@pytest.mark.django_db
class TestTable:
    def test_every_route_does_what_the_table_says(self, world):
        routes, wrong = ours(), []
        callers = clients(world.people)
        for (route, method), cells in table().items():
            if route not in routes:
                continue
            url = address(route, routes[route], world.arguments)
            for role, expected in cells.items():
                found = self.found(callers[role], method, url, route, world)
                if found != expected:
                    wrong.append(f"{method} {route} as {role}: {found}, the table says {expected}")
        assert not wrong, "\n".join(["", *wrong])

    def found(self, client, method, url, route, world):
        if method == "GET" and route in WRITES_ON_GET:
            with transaction.atomic():
                answer = client.get(url)
                transaction.set_rollback(True)
            return mark(answer)
        try:
            form = {key: world.arguments[name] for key, name in FORMS.get(route, {}).items()}
            return mark(ask(client, method, url, form))
        except InternalError as error:
            if "read-only transaction" not in str(error):
                raise
            return "a GET that writes"

    def test_other_methods_are_refused(self, world, monkeypatch):
        monkeypatch.setitem(throttles.BUDGETS, "heavy", 6_000)  # many of them are asked in a minute
        routes, answered = ours(), []
        owner = clients(world.people)["owner"]
        told = table()
        for route, wanted in routes.items():
            url = address(route, wanted, world.arguments)
            untold = [method for method in METHODS if (route, method) not in told]
            answered += [f"{x} {route}" for x in untold if mark(ask(owner, x, url)) != "405"]
        assert not answered, f"Not in the table, yet answered: {', '.join(answered)}"

    def test_foreign_objects_are_not_there(self, world, foreign):
        """My project with an object of theirs, and all of it theirs: 404."""
        routes, reached = ours(), []
        mixed = {**foreign.arguments, "project_id": world.project.pk}
        mixed |= {"number": 10_000, "student": 10_000}
        callers = clients(world.people)
        for route, method in table():
            names = routes.get(route, set()) - {"group", "secret"}
            if not names:
                continue
            cases = [foreign.arguments] if "project_id" in names else []
            if names - {"project_id"}:
                cases.append(mixed)
            for arguments in cases:
                url = address(route, routes[route], arguments)
                for role in ("owner", "annotator"):
                    found = mark(ask(callers[role], method, url))
                    if found not in {"404", "no"} or (found == "no" and arguments is not mixed):
                        reached.append(f"{method} {url} ({route}) as {role}: {found}")
        assert not reached, "\n".join(["", *reached])

    def test_the_admin_is_for_superusers(self, world):
        callers = clients(world.people)
        for name, wanted in every_route():
            if not name.startswith("admin:") or wanted or name in {"admin:login", "admin:jsi18n"}:
                continue
            for role in ROLES:
                answer = callers[role].get(reverse(name))
                assert answer.status_code in {302, 404}, (name, role)


@pytest.mark.django_db
class TestIdsInTheBody:
    """Ids that arrive in a body are looked up in the project of the address, never beyond it."""

    @pytest.fixture
    def owner(self, world):
        return clients(world.people)["owner"]

    def send(self, client, world, path, body, method="post"):
        url = f"/api/v1/projects/{world.project.pk}/{path}"
        return getattr(client, method)(url, body, content_type="application/json")

    @pytest.mark.parametrize(
        ("path", "body", "status"),
        [
            ("answers", {"assignment": "lease", "labels": "mine"}, 404),
            ("answers", {"assignment": "own lease", "labels": "theirs"}, 422),
            ("answers", {"kind": "skip", "assignment": "lease"}, 404),
            ("answers", {"kind": "retract", "annotation": "uuid"}, 404),
            ("answers", {"kind": "revise", "annotation": "uuid", "labels": "mine"}, 404),
            ("flags", {"item": "item"}, 404),
            ("flags/settle", {"item": "item"}, 404),
            ("review", {"item": "item", "labels": "mine"}, 404),
            ("review", {"item": "own item", "labels": "theirs"}, 422),
            ("labels", {"name": "New", "parent_id": "label"}, 404),
            ("predict", {"texts": "texts", "student": "student"}, 404),
            ("predict", {"images": "images", "student": "student"}, 404),
        ],
    )
    def test_foreign_ids_are_refused(self, world, foreign, owner, path, body, status):
        voice = assigning.voice_of(world.project, world.people["owner"])
        stranger = assigning.voice_of(foreign.project, foreign.project.created_by)
        known = {
            "lease": assigning.lease(foreign.project, stranger, 1)[0].pk,
            "own lease": assigning.lease(world.project, voice, 1)[0].pk,
            "mine": [world.arguments["label_id"]],
            "theirs": [foreign.arguments["label_id"]],
            "item": foreign.arguments["item_id"],
            "own item": world.arguments["item_id"],
            "uuid": str(foreign.arguments["uuid"]),
            "label": foreign.arguments["label_id"],
            "student": foreign.arguments["student_id"],
            "texts": ["a text"],
            "images": ["iVBORw0KGgo="],
        }
        sent = {name: known.get(value, value) for name, value in body.items()}
        if path in {"answers", "review"}:
            sent["uuid"] = str(uuid.uuid4())
        answer = self.send(owner, world, path, sent)
        assert answer.status_code == status, answer.content

    def test_a_foreign_import_limits_nobody(self, world, foreign, owner):
        member = world.arguments["member_id"]
        body = {"batch_id": foreign.arguments["import_id"]}
        assert self.send(owner, world, f"members/{member}", body, "patch").status_code == 404

    def test_a_foreign_label_is_not_ordered(self, world, foreign, owner):
        body = {"labels": [foreign.arguments["label_id"]]}
        assert self.send(owner, world, "labels/order", body, "put").status_code == 422

    def test_foreign_leases_are_neither_kept_nor_given_back(self, world, foreign, owner):
        stranger = assigning.voice_of(foreign.project, foreign.project.created_by)
        lease = assigning.lease(foreign.project, stranger, 1)[0]
        body = {"leases": [lease.pk]}
        assert self.send(owner, world, "leases/renew", body).json() == {"alive": 0}
        assert self.send(owner, world, "leases/release", body).json() == {"released": 0}
        lease.refresh_from_db()
        assert lease.state == "leased"

    def test_filters_find_nothing_foreign(self, world, foreign, owner):
        here = f"/api/v1/projects/{world.project.pk}"
        voice = assigning.voice_of(foreign.project, foreign.project.created_by)
        assert owner.get(f"{here}/items?annotator={voice.pk}").json()["results"] == []
        batch = foreign.arguments["import_id"]
        assert owner.get(f"{here}/items?batch={batch}").json()["results"] == []
        label = foreign.arguments["label_id"]
        assert owner.get(f"{here}/items?label={label}").status_code == 422
        item = foreign.arguments["item_id"]
        assert owner.get(f"{here}/annotations?item={item}").json()["results"] == []
        wish = {"filter": {"items": [item]}, "labels": ["billing"]}
        assert self.send(owner, world, "bulk/preview", wish).json()["hits"] == 0


@pytest.mark.django_db
class TestWhatAnAnnotatorSees:
    def test_only_their_own_answers_and_no_verdicts(self, world):
        callers = clients(world.people)
        here = f"/api/v1/projects/{world.project.pk}"
        mine = callers["annotator"].get(f"{here}/annotations").json()["results"]
        assert [each["uuid"] for each in mine] == [str(world.arguments["uuid"])]
        item = callers["annotator"].get(f"{here}/items/{mine[0]['item_id']}").json()
        content = {"text", "text_b", "candidates", "image_url", "meta"}
        assert set(item) == {"id", "number", "external_id"} | content
        ben = assigning.voice_of(world.project, world.people["reviewer"])
        lease = assigning.lease(world.project, ben, 1)[0]
        said = labeling.submit(
            world.project,
            ben,
            uuid=uuid.uuid4(),
            assignment_id=lease.pk,
            labels=[world.arguments["label_id"]],
        )
        assert callers["annotator"].get(f"{here}/annotations/{said.uuid}").status_code == 404
        assert callers["viewer"].get(f"{here}/annotations/{said.uuid}").status_code == 200

    def test_a_blind_project_shows_no_suggestion(self, world):
        from annotator.models import Assignment

        Project.objects.filter(pk=world.project.pk).update(blind=True)
        callers = clients(world.people)
        url = f"/api/v1/projects/{world.project.pk}/leases"
        voice = assigning.voice_of(world.project, world.people["annotator"])
        lease = assigning.lease(world.project, voice, 1)[0]
        told = [[world.arguments["label_id"], 0.9]]
        Assignment.objects.filter(pk=lease.pk).update(suggestion=told, reason="Billing?")
        Assignment.objects.filter(pk=lease.pk).update(stream="active")
        shown = callers["annotator"].get(url).json()["results"][0]
        assert (shown["suggestion"], shown["reason"]) == ([], "")
        Project.objects.filter(pk=world.project.pk).update(blind=False)
        assert callers["annotator"].get(url).json()["results"][0]["suggestion"] == told
        Assignment.objects.filter(pk=lease.pk).update(stream="audit")
        assert callers["annotator"].get(url).json()["results"][0]["suggestion"] == []


@pytest.mark.django_db
def test_only_an_owner_restores(world):
    url = f"/api/v1/projects/{world.project.pk}"
    callers = clients(world.people)
    assert callers["owner"].delete(url).status_code == 204
    for role in ROLES:
        expected = {"owner": "yes", "nobody": "in"}.get(role, "404")
        assert mark(ask(callers[role], "POST", f"{url}/restore")) == expected, role
