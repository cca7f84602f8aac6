*** Settings ***
Variables       ${EXECDIR}/resources/variables.py
Library         broker


*** Test Cases ***
IOP_900_03_01 Two Brokers Are Two
    ${status}=    Create Fountain    ${b1_url}/entities    ${town_context}
    Should Be Equal As Integers    ${status}    201
    ${here}=    Status Of Fountain    ${b1_url}/entities
    ${there}=    Status Of Fountain    ${b2_url}/entities
    Should Be Equal As Strings    ${here} ${there}    200 404
